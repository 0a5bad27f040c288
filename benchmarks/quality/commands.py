"""The arms that are commands of their own, measured from process start: Ray Tune's, and ``sweeper sweep`` as a user calls it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.quality.tasks import SPACE
from benchmarks.quality.trace import Recorder, Trace
from sweeper.ledger.store import Ledger

ROOT = Path(__file__).resolve().parents[2]


def ray_tune(trace: Trace, settings: Sequence[str], target: float | None, seconds: float) -> Trace:
    """Ray Tune until it reaches the target, has trained all trials, or ``seconds`` have passed.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="search-quality-") as name:
        path = Path(name) / "trace.json"
        trace.save(path)
        _run([sys.executable, "-m", "benchmarks.quality.ray_arm", str(path), str(seconds), str(target).lower(), *settings], Path(name))
        return Trace.load(path)


def product(trace: Trace, settings: Sequence[str], target: float | None) -> None:
    """``sweeper sweep`` with its default runner, Ray, and with MLflow, up to its last trial; read from its ledger.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="search-quality-", ignore_cleanup_errors=True) as name:
        started = time.time()
        _run(
            [sys.executable, "-m", "sweeper", "sweep", str(SPACE), "--json", *(word for one in settings for word in ("--set", one))],
            Path(name),
        )
        file = Path(name) / "runs" / "ledger.db"
        with closing(sqlite3.connect(file)) as database:
            zero = database.execute("select min(started) from attempt").fetchone()[0]
        past = Ledger.open(f"sqlite:///{file}").past(SPACE.stem.partition("_")[0])
    trace.startup = zero - started
    recorder = Recorder(trace, target, len(past))
    recorder.begin(zero)
    events = [(report.at, record.trial.number, report, record) for record in past for report in record.reports]
    for at, number, report, record in sorted(events, key=lambda event: event[:2]):
        recorder.report(at, number, report.metrics["val_loss"])
        if report is record.reports[-1] and record.outcome is not None:
            recorder.end(at, number, record.outcome)


def _run(command: list[str], home: Path) -> None:
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "SWEEPER_"))}
    environment = outer | {"SWEEPER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    log = home / "log"
    with log.open("wb") as said:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} ended with {done.returncode}:\n{log.read_text()[-3000:]}")
