"""Files that are there whole or not at all, also after a crash or on a full disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sweeper.errors import InfrastructureError


def replace_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` through a temporary sibling, fsync and rename; folders are made as needed.

    Raises:
        InfrastructureError: the disk refused; ``path`` is as it was.
    """
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` through a temporary sibling, fsync and rename; folders are made as needed.

    Raises:
        InfrastructureError: the disk refused; ``path`` is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InfrastructureError(f"could not write {path}: {error.strerror}") from error
