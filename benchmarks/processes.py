"""All processes that a command starts: their processor time, and their end.

``RUSAGE_CHILDREN`` does not do: Ray's raylet ignores SIGCHLD, so that the time of its workers, most of all there is, reaches nobody.
Here every process that inherited a marker in its environment is read from /proc ten times a second (Linux).
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

MARKER = "BENCHMARK_RUN"
PERIOD_S = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Done:
    """A command that has ended, and all it started with it.

    Attributes:
        seconds: start to end of the command itself.
        linger_seconds: from then to the end of the last process it started.
        cpu_seconds: user and system time of all of them; each process may lose its last tenth of a second.
    """

    code: int
    stdout: str
    seconds: float
    linger_seconds: float
    cpu_seconds: float


class _Watch(threading.Thread):
    """Reads the processes of one run until told to stop."""

    def __init__(self, marker: bytes) -> None:
        super().__init__(daemon=True)
        self._marker = marker
        self._doubtful: set[int] = set()
        self._strangers: set[int] = set()
        self._ticks: dict[int, int] = {}
        self._stop_asked = threading.Event()
        self.living = 0

    def run(self) -> None:
        while not self._stop_asked.wait(PERIOD_S):
            self._look()

    def stop(self) -> float:
        """The seconds of processor time seen."""
        self._stop_asked.set()
        self.join()
        self._look()
        return sum(self._ticks.values()) / TICKS

    def _look(self) -> None:
        living = 0
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
            living += state != "Z"
        self.living = living


def run(command: list[str], *, cwd: Path, environment: dict[str, str], log: Path, linger_s: float = 60.0) -> Done:
    """Run a command and wait for the last process that it started.

    Args:
        command: what to run; its stdout is returned.
        cwd: where.
        environment: of the command.
        log: receives its stderr.
        linger_s: how long leftovers may live.

    Raises:
        RuntimeError: some do not end.
    """
    marker = uuid.uuid4().hex
    watch = _Watch(f"{MARKER}={marker}".encode())
    watch.start()
    started = time.perf_counter()
    with log.open("wb") as errors:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment | {MARKER: marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            check=False,
        )
    ended = time.perf_counter()
    time.sleep(2 * PERIOD_S)
    while watch.living and time.perf_counter() < ended + linger_s:
        time.sleep(PERIOD_S)
    linger = max(0.0, time.perf_counter() - ended - 2 * PERIOD_S)
    cpu = watch.stop()
    if watch.living:
        raise RuntimeError(f"{watch.living} processes are left {linger_s:.0f} s after their command ended")
    return Done(done.returncode, done.stdout.decode(), ended - started, linger, cpu)
