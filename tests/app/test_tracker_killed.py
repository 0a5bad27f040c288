"""MLflow may die and come back: the sweep does not notice, and nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from .driving import TINY, closed, started, sweeper, violations, wait_for, write
from .servers import free_port, mlflow_server, serving

pytestmark = pytest.mark.slow

LONGER = TINY.replace("epochs: 4", "epochs: 60, patience: null").replace("grace_epochs: 1, reduction: 2", "pruner: none")


@pytest.mark.timeout(300)
def test_kill_9_of_the_mlflow_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the middle of a sweep: the sweep ends with a winner and says what is pending; `sync` brings it, and fsck agrees."""
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    space = write(home, LONGER)
    with serving(mlflow_server(port, home), port, home):
        driver = started("sweep", space, "--runner", "local", "--json")
        wait_for(lambda: closed(home) >= 3)
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 3, err
    assert '"complete": 8' in out
    with serving(mlflow_server(port, home), port, home):
        assert sweeper("sync").returncode == 0
        more = sweeper("sweep", space, "--runner", "local", "--trials", "9")
        assert more.returncode == 0, more.stdout
        assert violations() == []
