"""Who drives a sweep, and whether that process is still alive."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

SILENCE_S = 60.0
"""An owner on another machine that has not been heard of for so long is gone."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that drives a sweep.

    Attributes:
        host: the machine's name, for people.
        pid: process id on that machine.
        machine: this boot of this machine and its process namespace: only there can the pid be looked up. Two containers
            may share a host name, and a pid means nothing after a reboot.
        start: when the process started, in clock ticks since boot: pids are used again. Empty where there is no /proc.
        since: unix time at which it took the sweep; set by the ledger.
        seen: unix time of its last sign of life; set by the ledger.
    """

    host: str
    pid: int
    machine: str
    start: str
    since: float = 0.0
    seen: float = 0.0

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        return cls(host=socket.gethostname(), pid=os.getpid(), machine=_machine(), start=_process(os.getpid())[1])

    def alive(self, now: float) -> bool:
        """Whether the process still runs: looked up where that is possible, else judged by its last sign of life.

        Args:
            now: unix time in seconds.
        """
        if self.machine != _machine():
            return now - self.seen < SILENCE_S
        running, start = _process(self.pid)
        return running and start == self.start


def _machine() -> str:
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{boot.read_text().strip()} {namespace.readlink()}"
    except OSError:  # no Linux
        return socket.gethostname()


def _process(pid: int) -> tuple[bool, str]:
    """Whether a process of this machine runs, and its start in clock ticks since boot (empty where there is no /proc)."""
    if not Path("/proc/self/stat").exists():
        return _answers(pid), ""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False, ""
    # The command's name stands in parentheses and may hold spaces and parentheses; fields are counted behind it.
    fields = stat.rpartition(")")[2].split()
    state, start = fields[0], fields[19]
    return state not in {"Z", "X"}, start  # a killed process that its parent has not reaped yet is dead


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
