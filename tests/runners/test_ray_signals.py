"""What becomes of the driving process and its children when it is interrupted, terminated or killed."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runners.processes import descendants, survivors
from tests.runners.ray_fakes import events

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc"),
]

COLOUR_RESET = b"\x1b[0m"
"""Which colorama, imported by Ray, sends to a terminal at exit: nobody sees it."""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a driver whose sweep takes minutes; what is left of it is killed at the end."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    started: list[subprocess.Popen[bytes]] = []

    def begin(**streams: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.runners.ray_driver", str(tmp_path / "ledger"), "1000", "0.05"]
        started.append(subprocess.Popen(command, start_new_session=True, **streams))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def under_way(ledger: Path, closed: int = 3) -> list[dict]:
    """Wait until some trials are closed."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        happened = events(ledger)
        if sum(event["kind"] == "closed" for event in happened) >= closed:
            return happened
        time.sleep(0.05)
    pytest.fail("the sweep did not start")


def test_children_do_not_outlive_a_killed_driver(start: Start, tmp_path: Path) -> None:
    """After kill -9 of the driver nobody goes on training; of Ray only two idle agents wait for its head, for a minute."""
    process = start()
    happened = under_way(tmp_path / "ledger")
    children = descendants(process.pid)
    process.kill()
    killed_at = time.time()
    process.wait()
    ours = {event["pid"] for event in happened if "pid" in event}
    assert survivors({pid: start for pid, start in children.items() if pid in ours}, 20) == set()
    assert events(tmp_path / "ledger")[-1]["at"] - killed_at < 10
    rest = survivors(children, 5)
    assert {Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") for pid in rest} <= {b"ray::DashboardAgent", b"ray::RuntimeEnvAgent"}
    for pid in rest:
        os.kill(pid, signal.SIGKILL)


def test_sigterm_is_the_callers_and_leaves_nothing(start: Start, tmp_path: Path) -> None:
    """The caller's own handler runs; processes and scratch folders are gone."""
    process = start(stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    under_way(tmp_path / "ledger")
    children = descendants(process.pid)
    process.terminate()
    assert process.communicate(timeout=30) == (b"", None)
    assert process.returncode == 143
    assert survivors(children, 30) == set()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


def test_a_terminal_stays_clean_through_a_killed_worker_and_ctrl_c(start: Start, tmp_path: Path) -> None:
    """Ray and Tune write nothing to the terminal, not even when a worker is killed; Ctrl-C ends with 130."""
    ours, theirs = pty.openpty()
    process = start(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    happened = under_way(tmp_path / "ledger")
    children = descendants(process.pid)
    os.kill([event["pid"] for event in happened if event["kind"] == "report"][-1], signal.SIGKILL)
    under_way(tmp_path / "ledger", closed=10)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C: the whole foreground group gets it
    assert process.wait(30) == 130
    assert _drain(ours).replace(COLOUR_RESET, b"") == b""
    os.close(ours)
    assert survivors(children, 30) == set()


def _drain(terminal: int) -> bytes:
    """All that was written to it; a closed terminal reads as an error on Linux."""
    output = b""
    while select.select([terminal], [], [], 0.5)[0]:
        try:
            output += os.read(terminal, 65536)
        except OSError:
            break
    return output
