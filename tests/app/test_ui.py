"""What people see in the MLflow UI, looked at with a real browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sweeper.core.diagnose import WATCHED
from sweeper.tracking.child import sweep_id
from sweeper.tracking.mlflow import Tracker

from .browser import PROGRAM, browsing
from .driving import ledger_of, sweeper, write
from .servers import free_port, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")]

MODE = "?workflowType=machine_learning"
TALL = (1500, 4500)
"""MLflow draws the charts that are in sight and no others: a window in which all are."""


@pytest.mark.timeout(300)
def test_the_tree_of_runs_charts_and_artifacts(home: Path) -> None:
    """The sweep's run is listed with its trials below it; a trial has its curves, the sweep its figures and best config."""
    assert sweeper("sweep", write(home), "--runner", "local", "--json").returncode == 0
    ledger, tracker, port = ledger_of(home), Tracker(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts"), free_port()
    experiment, identity, best = str(tracker.find_experiment("tiny")), sweep_id(ledger.known("tiny")), ledger.best("tiny")
    assert best is not None
    runs = f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs"
    parent, child = ledger.tracked_sweep("tiny").run_id, tracker.runs(experiment, identity)[f"{identity}/{best.number}"].run_id
    with serving([sys.executable, "-m", "sweeper", "ui", "--port", str(port)], port, home), browsing(home / "profile", TALL) as browser:
        (link,) = [word for word in (home / "server.log").read_text().split() if word.startswith(f"{runs}{MODE}")]
        trials = [f"tiny/{number}" for number in range(8)]
        listed = browser.texts(link, "tiny", *trials, "9 matching runs", "Sort: best_val_loss")
        assert next(text for text in listed if text in trials) == f"tiny/{best.number}"
        browser.texts(f"{runs}/{parent}{MODE}", "Child runs", *trials, f"Winner: tiny/{best.number}, val_loss", "Test part (touched once)")
        browser.texts(f"{runs}/{parent}/artifacts{MODE}", "best.yaml", "figures.html", "space.yaml", "leaderboard.json")
        curves, watched = ("val_loss", "train_loss", "grad_norm", "lr"), f"{WATCHED}grad_norm_max"
        charts = browser.texts(f"{runs}/{child}/model-metrics{MODE}", *curves, watched)
        first = min(charts.index(text) for text in charts if text.startswith(WATCHED))
        assert max(charts.index(curve) for curve in curves) < first, "the monitor's charts push the curves out of sight"
