"""Where a SQLite file may not lie: WAL mode shares memory between processes, which a network file system does not."""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "beegfs", "gpfs", "glusterfs", "fuse.glusterfs", "fuse.sshfs"}
)
MOUNTS = Path("/proc/mounts")


def network_mount(file: Path, mounts: str) -> str | None:
    """The type of the network file system that a file lies (or would lie) on; None when it is a local one.

    Args:
        file: absolute; need not exist.
        mounts: the text of ``/proc/mounts``; empty where there is none, which then says nothing.
    """
    places = {file, *file.parents}
    best, kind = -1, None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        place = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        depth = len(place.parts)
        if place in places and depth >= best:  # of two mounts on one place the later one is seen
            best, kind = depth, fields[2]
    return kind if kind in NETWORK else None
