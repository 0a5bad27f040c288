"""``sweeper sync``: MLflow brought up to date from the ledger, once or for as long as a sweep runs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.app import insight, ranges
from sweeper.app.existing import existing, known_sweeps
from sweeper.app.home import Home
from sweeper.ledger.store import Ledger
from sweeper.tracking import follow

if TYPE_CHECKING:
    from sweeper.tracking.mlflow import MlflowMirror


def mirror_of(home: Home, ledger: Ledger) -> MlflowMirror:
    """What copies sweeps of this home to its MLflow store; imports mlflow."""
    from sweeper.tracking.mlflow import MlflowMirror

    def files(sweep: str) -> Iterable[Path]:
        folder, best = home.sweep_dir(sweep), ledger.best(sweep)
        pictures = insight.draw(folder, ledger.reports(sweep, best.number), best.best_epoch) if best and best.best_epoch else []
        ranges.draw(folder)
        return [path for path in (folder / "best.yaml", *sorted((folder / "lr_range").glob("*")), *pictures) if path.is_file()]

    return MlflowMirror(ledger, home.tracking_uri, home.artifacts, files)


def follow_sweep(name: str) -> int:
    """Be the background writer of one sweep, which its driver puts into the ledger meanwhile; returns the exit code."""
    import_module("sweeper.tracking.mlflow")
    if not follow.called():
        return 0
    home = Home.from_environment()
    ledger, _ = existing(home, name)
    return 3 if follow.follow(mirror_of(home, ledger), name, follow.lock_of(home.runs, name)) else 0


def sync_all(name: str | None) -> int:
    """Copy what MLflow lacks of one sweep, or of all; prints a line per sweep and returns the exit code."""
    home = Home.from_environment()
    names = [existing(home, name)[1].name] if name else [record.name for record in known_sweeps(home)]
    if not names:
        print("no sweeps yet")
        return 0
    ledger = Ledger.open(home.ledger_url)
    mirror = mirror_of(home, ledger)
    missing = 0
    for sweep in names:
        pending = follow.once(mirror, sweep, follow.lock_of(home.runs, sweep))
        missing += pending
        print(f"{sweep}: up to date" if not pending else f"{sweep}: MLflow lacks {pending} records: {mirror.error}")
    return 3 if missing else 0
