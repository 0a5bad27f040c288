from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.errors import InfrastructureError
from sweeper.ledger.filesystem import network_mount
from sweeper.ledger.store import Ledger

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/scratch ext4 rw 0 0
//box/share /mnt/my\\040share cifs rw 0 0
/dev/sdc1 /data ext4 rw 0 0
server:/data /data nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/srv/runs/ledger.db", None),
        ("/home/ada/runs/ledger.db", "nfs4"),
        ("/homes/ada/ledger.db", None),
        ("/home/scratch/ledger.db", None),
        ("/mnt/my share/ledger.db", "cifs"),
        ("/data/ledger.db", "nfs"),
    ],
)
def test_the_innermost_mount_decides(file: str, kind: str | None) -> None:
    """The deepest mount over a file says where it lies, the later one of two at one place; names may hold spaces."""
    assert network_mount(Path(file), MOUNTS) == kind


def test_without_a_list_of_mounts_nothing_is_refused() -> None:
    """Other systems have no /proc/mounts."""
    assert network_mount(Path("/home/ada/ledger.db"), "") is None


def test_a_ledger_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is created there, and the way out is told."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr("sweeper.ledger.database.MOUNTS", mounts)
    with pytest.raises(InfrastructureError, match=r"on nfs4, .* SWEEPER_LEDGER_URL to a local file or PostgreSQL"):
        Ledger.open(f"sqlite:///{tmp_path / 'runs' / 'ledger.db'}")
    assert not (tmp_path / "runs").exists()
