"""Files that are there whole or not at all, and a disk that refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sweeper.atomic import replace_text
from sweeper.errors import InfrastructureError


def test_folders_are_made_and_files_replaced(tmp_path: Path) -> None:
    """The second text stands where the first was, and nothing else is left."""
    path = tmp_path / "a" / "b.txt"
    replace_text(path, "one")
    replace_text(path, "zwei ü")
    assert path.read_bytes() == "zwei ü".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and reason are told, the old content stays, and no half file is left."""
    path = tmp_path / "b.txt"
    replace_text(path, "one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InfrastructureError, match=r"could not write .*b\.txt: No space left on device"):
        replace_text(path, "two")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]
