"""Which processes descend from one, and whether they still live (Linux)."""

from __future__ import annotations

import time
from pathlib import Path


def _stat(pid: int) -> tuple[int, int] | None:
    """Parent and start time of a process that is not a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (int(fields[1]), int(fields[19]))


def descendants(pid: int) -> dict[int, int]:
    """Start time by process id of all that descend from ``pid``."""
    stats = {int(path.name): _stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found: dict[int, int] = {}
    grew = True
    while grew:
        fresh = {
            child: stat[1]
            for child, stat in stats.items()
            if stat is not None and child not in found and (stat[0] == pid or stat[0] in found)
        }
        found |= fresh
        grew = bool(fresh)
    return found


def survivors(processes: dict[int, int], seconds: float) -> set[int]:
    """Those that are alive after at most so many seconds of waiting for all to end."""
    until = time.monotonic() + seconds
    while True:
        alive = {pid for pid, start in processes.items() if (stat := _stat(pid)) is not None and stat[1] == start}
        if not alive or time.monotonic() > until:
            return alive
        time.sleep(0.1)
