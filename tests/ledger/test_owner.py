from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.ledger.owner import Owner
from tests.ledger.fakes import line, process

WAIT = "import sys; from sweeper.ledger.owner import Owner; o = Owner.here(); print(o.pid, o.start, flush=True); sys.stdin.read()"


def test_this_process_is_alive() -> None:
    """An owner knows its host, its pid and its start."""
    here = Owner.here()
    assert here.pid == os.getpid()
    assert here.alive(now=1e12)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_a_killed_process_is_dead_before_it_is_reaped() -> None:
    """A zombie still has its pid; it drives nothing."""
    with process(WAIT) as child:
        pid, start = line(child).split()
        owner = replace(Owner.here(), pid=int(pid), start=start)
        assert owner.alive(0.0)
        os.kill(int(pid), signal.SIGKILL)
        os.waitid(os.P_PID, int(pid), os.WEXITED | os.WNOWAIT)
        assert not owner.alive(0.0)
    assert not owner.alive(0.0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_a_name_with_parentheses_does_not_confuse_the_reader(tmp_path: Path) -> None:
    """The command's name stands in parentheses in /proc, and may hold parentheses and spaces itself."""
    program = tmp_path / "a) Z (b"
    program.symlink_to(shutil.which("sleep") or "")
    child = subprocess.Popen([program, "60"])
    try:
        start = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        assert replace(Owner.here(), pid=child.pid, start=start).alive(0.0)
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(("silent", "alive"), [(59.0, True), (61.0, False)])
def test_elsewhere_silence_is_death(silent: float, alive: bool) -> None:
    """The pid of another machine, boot or container says nothing here."""
    owner = replace(Owner.here(), machine="another boot", seen=1000.0)
    assert owner.alive(1000.0 + silent) is alive
