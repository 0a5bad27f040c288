"""A folder for a local Ray's logs and sockets, gone with the run or, after a kill -9, with the next one."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "sweeper-ray-"
LONGEST = 16
"""Characters of the folder's parent: Ray's socket paths below it may have no more than 107 bytes."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private temporary folder, locked while in use; those that a dead process left are removed first."""
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > LONGEST:
        parent = Path("/tmp")  # noqa: S108 - mkdtemp makes the folder private
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for lock_file in parent.glob(f"{PREFIX}*/lock"):
        try:
            with lock_file.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock_file.parent, ignore_errors=True)
        except OSError:
            continue  # in use, or another user's
