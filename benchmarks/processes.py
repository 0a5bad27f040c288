"""All processes that a command starts: their processor time, and their end.

``RUSAGE_CHILDREN`` does not do: Ray's raylet ignores SIGCHLD, so that the time of its workers, most of all there is, reaches nobody.
Here every process that inherited a marker in its environment is read from /proc ten times a second (Linux).
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MARKER = "BENCHMARK_RUN"
PERIOD_S = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Done:
    """A command that has ended, and all it started with it.

    Attributes:
        lines: of its stdout, each with its second of arrival, counted from the start of the command.
        started: unix time.
        seconds: start to end of the command itself.
        linger_seconds: from then to the end of the last process it started.
        cpu_seconds: user and system time of all of them; each process may lose its last tenth of a second.
    """

    code: int
    lines: tuple[tuple[float, str], ...]
    started: float
    seconds: float
    linger_seconds: float
    cpu_seconds: float

    @property
    def stdout(self) -> str:
        """What it printed."""
        return "".join(line for _, line in self.lines)


class CommandError(RuntimeError):
    """A command failed, took too long or left processes behind; the message has the tail of what it said."""


class _Watch(threading.Thread):
    """Reads the processes of one run until told to stop."""

    def __init__(self, marker: bytes) -> None:
        super().__init__(daemon=True)
        self._marker = marker
        self._doubtful: set[int] = set()
        self._strangers: set[int] = set()
        self._ticks: dict[int, int] = {}
        self._stop_asked = threading.Event()
        self.living: tuple[int, ...] = ()

    def run(self) -> None:
        while not self._stop_asked.wait(PERIOD_S):
            self._look()

    def stop(self) -> None:
        """Look once more, and no more."""
        self._stop_asked.set()
        self.join()
        self._look()

    @property
    def cpu_seconds(self) -> float:
        """Processor time seen so far."""
        return sum(self._ticks.values()) / TICKS

    def _look(self) -> None:
        living = []
        for name in os.listdir("/proc"):  # noqa: PTH208 - ten times a second
            if not name.isdigit() or (pid := int(name)) in self._strangers:
                continue
            try:
                if pid not in self._ticks and self._marker not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    # Between fork and exec a process still shows its parent's environment: it is looked at twice.
                    (self._strangers if pid in self._doubtful else self._doubtful).add(pid)
                    continue
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            state, user, system = fields[0], int(fields[11]), int(fields[12])
            self._ticks[pid] = user + system
            if state != "Z":
                living.append(pid)
        self.living = tuple(living)


def environment(home: Path) -> dict[str, str]:
    """This process's environment without what would steer Ray, MLflow or sweeper, and with ``SWEEPER_HOME`` at ``home``."""
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TUNE_", "MLFLOW_", "SWEEPER_"))}
    # A line is timed when it arrives, so it must not wait in a buffer.
    return outer | {"SWEEPER_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def run(
    command: list[str],
    *,
    cwd: Path,
    home: Path,
    timeout_s: float = 3600.0,
    linger_s: float = 60.0,
    on_line: Callable[[str], None] = lambda _: None,
) -> Done:
    """Run a command and wait for the last process that it started; its stderr goes to ``home/log``.

    Args:
        command: what to run.
        cwd: where.
        home: its ``SWEEPER_HOME``, a folder of its own.
        timeout_s: how long it may take; then all that it started is killed.
        linger_s: how long leftovers may live after it; then they are killed.
        on_line: called with each line of its stdout as it arrives.

    Raises:
        CommandError: it failed, took too long, or left processes behind.
    """
    marker = uuid.uuid4().hex
    log = home / "log"
    with _watching(marker) as watch, log.open("wb") as errors:
        at, started = time.time(), time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(home) | {MARKER: marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        lines: list[tuple[float, str]] = []
        overdue = threading.Event()

        def read() -> None:
            assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
            for line in process.stdout:
                lines.append((time.perf_counter() - started, line))
                on_line(line)

        def end() -> None:
            overdue.set()
            _kill((process.pid, *watch.living))

        late = threading.Timer(timeout_s, end)
        late.start()
        # Beside the wait for the command: what it leaves behind may hold its stdout open.
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            code = process.wait()
        except BaseException:
            _kill((process.pid,))
            process.wait()
            raise
        finally:
            late.cancel()
        ended = time.perf_counter()
        time.sleep(2 * PERIOD_S)
        while watch.living and time.perf_counter() < ended + linger_s:
            time.sleep(PERIOD_S)
        linger = max(0.0, time.perf_counter() - ended - 2 * PERIOD_S)
        left = len(watch.living)
        _kill(watch.living)
        reader.join(linger_s)
    what = f"{' '.join(command)[:200]}: "
    if overdue.is_set():
        raise CommandError(f"{what}not done after {timeout_s:.0f} s")
    if code != 0:
        raise CommandError(
            f"{what}exit code {code}\n{''.join(line for _, line in lines)[-1000:]}\n{log.read_text(errors='replace')[-3000:]}"
        )
    if left:
        raise CommandError(f"{what}{left} processes were left {linger_s:.0f} s after its end, and have been killed")
    return Done(code, tuple(lines), at, ended - started, linger, watch.cpu_seconds)


@contextmanager
def _watching(marker: str) -> Iterator[_Watch]:
    """Watch the processes with this marker; whichever still lives at the end is killed, also when the command's caller was interrupted."""
    watch = _Watch(f"{MARKER}={marker}".encode())
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        _kill(watch.living)


def _kill(pids: tuple[int, ...]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
