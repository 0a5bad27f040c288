from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from sweeper.runners.ray_tune.scratch import LONGEST, PREFIX, scratch_folder


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary folders that counts as short."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("sweeper.runners.ray_tune.scratch.LONGEST", len(str(tmp_path)))
    return tmp_path


def test_the_folder_is_gone_afterwards(parent: Path) -> None:
    """With all that was put into it."""
    with scratch_folder() as folder:
        (folder / "log").write_text("x")
        assert folder.parent == parent
    assert list(parent.iterdir()) == []


def test_what_a_dead_process_left_is_removed_and_what_is_in_use_stays(parent: Path) -> None:
    """A lock that nobody holds marks an abandoned folder."""
    abandoned = parent / f"{PREFIX}dead"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    with scratch_folder() as first, scratch_folder() as second:
        assert first.exists()
        assert second.exists()
        assert not abandoned.exists()


def test_a_long_place_for_temporary_folders_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's sockets would not fit into their 107 bytes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert len(str(tmp_path)) > LONGEST
    with scratch_folder() as folder:
        assert folder.parent == Path("/tmp")  # noqa: S108
