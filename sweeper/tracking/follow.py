"""The one background writer of a sweep: a process of its own, so that nothing of the tracker stands on the training path.

It copies what is new about once a second, waits longer while the tracker is down, and ends when the sweep is over and everything is told.
The driver starts it before the sweep is in the ledger, so that its imports are done by then, and holds the other end of its standard
input: when that closes, the driver is gone; what is in the ledger is still told.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from sweeper.errors import InfrastructureError
from sweeper.tracking.finale import warm_up
from sweeper.tracking.locks import tried

TURN_S = 1.0
SLOWEST_TURN_S = 5.0
"""Between two tries while the tracker is down."""
LAST_WORDS_S = 5.0
"""For what is still in the ledger when the driver is gone or the writer is asked to end."""
NICENESS = 5
"""How much less urgent than training the writer is, once it has found its tracker: before, the workers are still starting."""
DOWN_S = 10.0
"""So long the end of a sweep waits for a tracker that is down."""


class Mirror(Protocol):
    """What copies a sweep to a tracker; see ``MlflowMirror``."""

    error: str | None

    def sync(self, sweep: str, *, seconds: float, patience_s: float) -> int:
        """Copy for about ``seconds``; returns how many records the tracker lacks."""

    def over(self, sweep: str) -> bool:
        """Whether nothing more will happen to the sweep."""


class Follower:
    """The background writer, as seen by the driver."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], complaints: IO[bytes]) -> None:
        self.error: str | None = None
        """After ``drain``: why records are missing."""
        self._process = process
        self._said = said
        self._complaints = complaints
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends a writer that has not begun: the sweep was refused. Any other is told of the end by ``drain``, or by the driver's."""
        if not self._begun:
            self._process.kill()
            self._process.communicate()
            self._said.close()
            self._complaints.close()

    def begin(self) -> None:
        """Tell the writer that the sweep is in the ledger."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        self._begun = True
        with suppress(BrokenPipeError):  # its end is told by ``drain``
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def drain(self, timeout: float) -> int:
        """Let the writer tell what is left, for at most ``timeout`` seconds, and end it.

        Returns:
            How many records the tracker lacks; 0: none.
        """
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            self._process.stdin.write(f"{timeout}\n".encode())
            self._process.stdin.close()
        except BrokenPipeError:
            self.error = "the background writer had ended"
        try:
            self._process.wait(timeout + LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self._result()

    def _result(self) -> int:
        self._said.seek(0)
        self._complaints.seek(0)
        lines = [
            line for line in self._said.read().decode(errors="replace").splitlines() if line.startswith('{"pending"') and line.endswith("}")
        ]
        last: dict[str, Any] = json.loads(lines[-1]) if lines else {"pending": 1, "error": None}
        complaints = self._complaints.read().decode(errors="replace").strip().splitlines()
        self.error = last["error"] or (complaints[-1] if complaints else self.error)
        self._said.close()
        self._complaints.close()
        pending = int(last["pending"])
        return pending if self._process.returncode == 0 else max(pending, 1)


def start(sweep: str) -> Follower:
    """Start the writer of this sweep (``sweeper sync SWEEP --follow``) in this process's environment and directory.

    It imports what it needs and waits for ``begin``.
    """
    # Files and not pipes: nobody reads them before the end, and a full pipe would stop the writer.
    said, complaints = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - the follower closes them
    process = subprocess.Popen(  # noqa: S603 - our own command; the name was checked against its pattern
        [sys.executable, "-m", "sweeper", "sync", sweep, "--follow"],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=complaints,
        # A Ctrl-C in the terminal is the driver's to judge. Not a session of its own: Linux shares processors between sessions first
        # (sched_autogroup), whatever the niceness of their processes.
        process_group=0,
    )
    return Follower(process, said, complaints)


def called() -> bool:
    """Wait for the driver's ``begin``, in the writer's process; False when the driver is gone instead."""
    return os.read(0, 1) != b""


def lock_of(folder: Path, sweep: str) -> Path:
    """The lock that the writer of a sweep holds; ``folder`` is where the sweeps' folders are."""
    return folder / f".{sweep}.sync.lock"


def once(mirror: Mirror, sweep: str, lock: Path) -> int:
    """Copy all that the tracker lacks, or as much as it takes; while another writer is at work, leave it to that one.

    Returns:
        How many records the tracker still lacks; 0 also when another writer sees to them.
    """
    with tried(lock) as free:
        if not free:
            return 0
        while True:
            pending = mirror.sync(sweep, seconds=SLOWEST_TURN_S, patience_s=0.0)
            if mirror.error is not None or pending == 0:
                return pending


def follow(mirror: Mirror, sweep: str, lock: Path) -> int:
    """Be the writer: copy until the sweep is over, or the driver at the other end of standard input is gone.

    Prints a JSON object ``{"pending": ..., "error": ...}`` per line whenever one of them changes.

    Returns:
        How many records the tracker still lacks.
    """
    ending = _Ending()
    while True:
        with tried(lock) as free:
            if free:
                return _copy(mirror, sweep, ending)
        # The writer of a driver that was killed is still saying its last words.
        ending.wait(TURN_S / 2)
        if ending.due():
            _say(1, "another process is writing this sweep to MLflow")
            return 1


class _Ending:
    """When to stop: told by the driver, by its death, or by SIGTERM."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._announced = 0.0
        self._open = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._within(LAST_WORDS_S))

    @property
    def near(self) -> bool:
        """Whether the end has been announced."""
        return self._deadline is not None

    def near_for(self) -> float:
        """Seconds since the end was announced; 0 before."""
        return time.monotonic() - self._announced if self.near else 0.0

    def due(self) -> bool:
        """Whether time is up."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def left(self) -> float:
        """Seconds until the end, at most those of a turn."""
        return SLOWEST_TURN_S if self._deadline is None else max(0.0, min(SLOWEST_TURN_S, self._deadline - time.monotonic()))

    def wait(self, seconds: float) -> None:
        """Wait, but not past a word from the driver."""
        if not self._open:
            time.sleep(min(seconds, self.left()))
            return
        ready, _, _ = select.select([0], [], [], min(seconds, self.left()))
        if ready:
            word = os.read(0, 100).decode().strip()
            self._open = word != ""
            self._within(float(word) if word else LAST_WORDS_S)

    def _within(self, seconds: float) -> None:
        if self._deadline is None:
            self._announced = time.monotonic()
            self._deadline = self._announced + seconds


def _copy(mirror: Mirror, sweep: str, ending: _Ending) -> int:
    turn, warm, last = TURN_S, False, (-1, "")
    while True:
        # Asked before the turn: an end that comes after its last look has not been told.
        over = mirror.over(sweep)
        pending, error = _turn(mirror, sweep, ending)
        if (pending, error) != last:
            _say(pending, error)
            last = (pending, error)
        down = error and ending.near_for() > DOWN_S
        if down or ending.due() or (pending == 0 and (ending.near or over)):
            return pending
        if not warm and not error:
            os.nice(NICENESS)
            warm_up()
            warm = True
        turn = TURN_S if not error else min(2 * turn, SLOWEST_TURN_S)
        ending.wait(0.0 if ending.near and not error else turn)


def _turn(mirror: Mirror, sweep: str, ending: _Ending) -> tuple[int, str]:
    try:
        # With the end in sight also the youngest trials are told.
        pending = mirror.sync(sweep, seconds=ending.left(), patience_s=0.0 if ending.near else SLOWEST_TURN_S)
    except InfrastructureError as error:
        return 1, str(error)
    return pending, mirror.error or ""


def _say(pending: int, error: str) -> None:
    os.write(1, (json.dumps({"pending": pending, "error": error or None}) + "\n").encode())
