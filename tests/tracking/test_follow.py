from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from sweeper.tracking.follow import Follower, lock_of, once, start
from sweeper.tracking.locks import locked, tried

pytestmark = pytest.mark.slow

# A writer as ``sweeper sync NAME --follow`` makes it, over a mirror whose state is a JSON file: {"pending", "over", "error"}.
WRITER = """
import json, sys, time
from pathlib import Path
from sweeper.tracking import follow

follow.TURN_S, follow.LAST_WORDS_S, follow.warm_up = 0.05, 1.0, lambda: None
state, lock = Path(sys.argv[1]), Path(sys.argv[2])

class Mirror:
    error = None
    def sync(self, sweep, *, seconds, patience_s):
        self.now = json.loads(state.read_text())
        self.error = self.now["error"]
        with state.with_suffix(".calls").open("a") as calls:
            calls.write(f"{time.monotonic()} {patience_s}\\n")
        if self.now["ends"]:  # behind its back, once it has looked
            state.write_text(json.dumps({**self.now, "over": True, "ends": False}))
        return self.now["pending"]
    def over(self, sweep):
        return json.loads(state.read_text())["over"]

sys.exit(3 if follow.follow(Mirror(), "mlp", lock) else 0)
"""


def temporary() -> IO[bytes]:
    """A file that its follower closes."""
    return tempfile.TemporaryFile()


class Started:
    """A writer in a process of its own, and the state that its mirror sees."""

    def __init__(self, folder: Path) -> None:
        self.state, self.lock = folder / "state.json", lock_of(folder, "mlp")
        self.set()
        self.said, self.complaints = temporary(), temporary()
        self.process = self.start()
        self.follower = Follower(self.process, self.said, self.complaints)

    def start(self) -> subprocess.Popen[bytes]:
        """One more writer of the same sweep."""
        command = [sys.executable, "-c", WRITER, str(self.state), str(self.lock)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.said, stderr=self.complaints)

    def set(self, pending: int = 0, over: bool = False, error: str | None = None, ends: bool = False) -> None:
        """What the mirror sees from now on."""
        part = self.state.with_suffix(".part")
        part.write_text(json.dumps({"pending": pending, "over": over, "error": error, "ends": ends}))
        part.replace(self.state)

    def calls(self) -> list[list[float]]:
        """When and with what patience the mirror was asked."""
        file = self.state.with_suffix(".calls")
        return [[float(word) for word in line.split()] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """A writer that has looked at its sweep a few times."""
    writer = Started(tmp_path)
    until(lambda: len(writer.calls()) >= 3)
    yield writer
    if writer.process.poll() is None:
        writer.process.kill()
    writer.process.wait()
    if writer.process.stdin and not writer.process.stdin.closed:
        writer.process.stdin.close()


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_end_that_comes_during_a_turn_is_told_in_another(started: Started) -> None:
    """The turn that had nothing left to tell did not know of it."""
    started.set(ends=True)
    started.process.wait(30)
    last = float(started.state.with_suffix(".calls").read_text().splitlines()[-1].split()[0])
    assert last > started.state.stat().st_mtime - time.time() + time.monotonic()


def test_the_writer_ends_by_itself_when_the_sweep_is_over_and_told(started: Started) -> None:
    """Over alone is not enough, nor is told alone."""
    started.set(pending=1, over=True)
    seen = len(started.calls())
    until(lambda: len(started.calls()) >= seen + 3)
    assert started.process.poll() is None
    started.set(over=True)
    assert started.process.wait(10) == 0


def test_draining_gives_what_is_left_and_why(started: Started) -> None:
    """With the end in sight the youngest trials are told, too; what the tracker refuses is counted."""
    started.set(pending=4, error="the tracker is down")
    assert started.follower.drain(0.5) == 4
    assert started.follower.error == "the tracker is down"
    assert started.process.returncode == 3
    assert started.calls()[-1][1] == 0


def test_draining_a_writer_that_is_up_to_date_is_quick(started: Started) -> None:
    """The sweep may still be open, as after an error of the driver."""
    began = time.monotonic()
    assert started.follower.drain(60) == 0
    assert started.follower.error is None
    assert time.monotonic() - began < 5


def test_when_the_driver_dies_the_writer_says_its_last_words_and_ends(started: Started) -> None:
    """The pipe closes with the driver; a few seconds are for what is in the ledger."""
    started.set(pending=1)
    started.process.stdin.close()
    assert started.process.wait(10) == 3


def test_ctrl_c_is_the_drivers_to_judge_and_sigterm_ends_the_writer(started: Started) -> None:
    """SIGINT is ignored; after SIGTERM what is left is told."""
    started.process.send_signal(signal.SIGINT)
    seen = len(started.calls())
    until(lambda: len(started.calls()) >= seen + 3)
    started.process.terminate()
    assert started.process.wait(10) == 0


def test_a_dead_tracker_is_asked_less_and_less_often(started: Started) -> None:
    """The pause doubles from turn to turn."""
    started.set(pending=1, error="down")
    seen = len(started.calls())
    until(lambda: len(started.calls()) >= seen + 5)
    times = [at for at, _ in started.calls()[seen:]]
    assert times[-1] - times[-2] > 2 * (times[2] - times[1])


def test_a_second_writer_waits_for_the_first(started: Started) -> None:
    """Two never write at once; the second goes on when the first, whose driver is dead, has ended."""
    second = started.start()
    seen = len(started.calls())
    until(lambda: len(started.calls()) >= seen + 3)
    assert second.poll() is None
    started.process.stdin.close()
    assert started.process.wait(10) == 0
    started.set(over=True)
    assert second.wait(30) == 0
    second.stdin.close()


def test_a_writer_that_was_never_begun_touches_nothing(home: Path) -> None:
    """It is in the driver's session, for Linux may share processors between sessions before it looks at niceness; a Ctrl-C misses it."""
    with start("mlp") as follower:
        writer = follower._process
        assert os.getsid(writer.pid) == os.getsid(0)
        assert os.getpgid(writer.pid) != os.getpgid(0)
    assert writer.returncode == -signal.SIGKILL
    assert list(home.iterdir()) == []


def test_a_writer_whose_driver_dies_before_the_sweep_is_there_ends(home: Path) -> None:
    """Without a word: there is nothing to tell."""
    follower = start("mlp")
    _, _ = follower._process.communicate(timeout=60)
    assert follower._process.returncode == 0
    assert list(home.iterdir()) == []
    with follower:  # closes its files
        pass


def test_a_begun_writer_looks_for_its_sweep(home: Path) -> None:
    """There is none here."""
    with start("mlp") as follower:
        follower.begin()
        assert follower.drain(60) == 1  # it ends by itself, as soon as it has imported what it needs
    assert "there is no sweep" in (follower.error or "")
    assert list(home.iterdir()) == []


def test_writing_gives_way(started: Started) -> None:
    """Training comes first."""
    assert os.getpriority(os.PRIO_PROCESS, started.process.pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)


def test_a_writer_that_breaks_is_told_of(tmp_path: Path) -> None:
    """Its last complaint is the reason, and something is pending."""
    said, complaints = temporary(), temporary()
    process = subprocess.Popen(
        [sys.executable, "-c", "raise SystemExit('no such sweep')"], stdin=subprocess.PIPE, stdout=said, stderr=complaints
    )
    process.wait()
    follower = Follower(process, said, complaints)
    assert follower.drain(1) == 1
    assert follower.error == "no such sweep"


def test_by_hand_all_is_copied_unless_a_writer_is_at_work(tmp_path: Path) -> None:
    """Turns go on until nothing is left or the tracker fails."""

    class Mirror:
        error: str | None = None
        left = 3

        def sync(self, sweep: str, *, seconds: float, patience_s: float) -> int:  # noqa: ARG002
            self.left -= 1
            return self.left

        def over(self, sweep: str) -> bool:  # noqa: ARG002
            return True

    mirror = Mirror()
    with locked(lock_of(tmp_path, "mlp")):
        pid = os.fork()
        if pid == 0:
            os._exit(once(mirror, "mlp", lock_of(tmp_path, "mlp")) or mirror.left)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert once(mirror, "mlp", lock_of(tmp_path, "mlp")) == 0
    assert mirror.left == 0
    failing = Mirror()
    failing.error = "down"
    assert once(failing, "mlp", lock_of(tmp_path, "mlp")) == 2


def test_a_lock_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    """The kernel drops it."""
    path = tmp_path / "lock"
    with tried(path) as free, tried(path) as again:
        assert (free, again) == (True, False)
    with tried(path) as free:
        assert free
