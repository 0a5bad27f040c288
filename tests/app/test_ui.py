"""What people see in the MLflow UI, looked at with a real browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.tracking.mlflow import Tracker

from .driving import ledger_of, sweeper, wait_for, write
from .servers import free_port, serving

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed (Debian: apt-get install chromium)")]


def _page(address: str, profile: Path) -> str:
    """The page's text after its scripts have run."""
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    budget = ["--virtual-time-budget=30000", "--window-size=1500,1200", f"--user-data-dir={profile}"]
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-sync", *quiet, *budget, "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.timeout(300)
def test_the_tree_of_runs_charts_and_artifacts(home: Path) -> None:
    """The sweep's run is listed with its trials below it; a trial has its curves, the sweep its figures and best config."""
    assert sweeper("sweep", write(home), "--runner", "local", "--json").returncode == 0
    parent = ledger_of(home).tracked_sweep("tiny").run_id
    experiment = Tracker(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts").find_experiment("tiny")
    port = free_port()
    runs = f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs"
    mode = "?workflowType=machine_learning"

    def shows(address: str, *words: str) -> bool:
        text = _page(address, home / "profile")
        return all(word in text for word in words)

    with serving([sys.executable, "-m", "sweeper", "ui", "--port", str(port)], port, home):
        said = (home / "server.log").read_text()
        (link,) = [word for word in said.split() if word.startswith(f"{runs}{mode}")]
        wait_for(lambda: shows(link, ">tiny<", ">tiny/7<", "9</strong> matching runs", "best_val_loss"))
        wait_for(lambda: shows(f"{runs}/{parent}{mode}", "Child runs", "tiny/7", "Winner", "Test part (touched once)"))
        wait_for(lambda: shows(f"{runs}/{parent}/artifacts{mode}", "best.yaml", "figures.html", "space.yaml", "leaderboard.json"))
        child = ledger_of(home).best("tiny")
        assert child is not None
        run = (
            Tracker(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts")
            .runs(str(experiment), _identity(home))[f"{_identity(home)}/{child.number}"]
            .run_id
        )
        wait_for(lambda: shows(f"{runs}/{run}/model-metrics{mode}", "val_loss", "train_loss", "grad_norm", "lr"))


def _identity(home: Path) -> str:
    from sweeper.tracking.child import sweep_id

    return sweep_id(ledger_of(home).known("tiny"))
