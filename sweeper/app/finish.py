"""The end of a sweep: the winner, its one test, its model and its file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.app import insight, ranges
from sweeper.app.home import Home
from sweeper.atomic import replace_text
from sweeper.config.files import config_from_tree, dump_config
from sweeper.config.schema import Config
from sweeper.core.sizes import Size
from sweeper.ledger.records import SweepRecord, SweepState, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.trial import Outcome

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset


def close(home: Home, ledger: Ledger, writer: Writer, data: Dataset) -> None:
    """End a sweep in which nothing is left to train. Safe to repeat after a crash."""
    state = ledger.known(writer.sweep).state
    if state is SweepState.CANCELLING:
        writer.close_open(Outcome.CANCELLED, "cancelled before it was trained")
    if state is not SweepState.BROKEN:
        crown(home, ledger, writer, data)
        ranges.write(home, ledger, writer.sweep)
        for unfinished in (home.sweep_dir(writer.sweep) / "checkpoints").glob("*.unfinished"):
            shutil.rmtree(unfinished, ignore_errors=True)  # of trials that were cancelled or failed, which nobody will take up
        writer.finish(SweepState.CANCELLED if state is SweepState.CANCELLING else SweepState.COMPLETE)


def crown(home: Home, ledger: Ledger, writer: Writer, data: Dataset) -> None:
    """Export the winner, test it once and write ``best.yaml``; nothing when no trial completed.

    The test part is touched only for a winner that has not been tested yet; ``facts["test"]`` counts the touches.
    """
    from sweeper.production.model import evaluate_test, export

    sweep = ledger.known(writer.sweep)
    best = ledger.best(sweep.name)
    if best is None:
        return
    folder = home.sweep_dir(sweep.name)
    config = final_config(sweep, best)
    export(checkpoint_of(home, sweep.name, best.number), data, config, folder / "model")
    tested: Mapping[str, Any] = sweep.facts.get("test", {})
    if tested.get("trial") != best.number or not tested["metrics"]:
        touch = {"trial": best.number, "metrics": {}, "touches": tested.get("touches", 0) + 1}
        writer.set_facts(test=touch)  # counted before the look: a crash in between must not hide one
        writer.set_facts(test={**touch, "metrics": evaluate_test(folder / "model", data)})
    size = insight.write(folder, data)
    replace_text(folder / "best.yaml", dump_config(config))
    writer.set_facts(winner=best.number, **size)


def checkpoint_of(home: Home, sweep: str, number: int) -> Path:
    """Where the core commits the best epoch of a trial."""
    return home.sweep_dir(sweep) / "checkpoints" / str(number)


def size_of_winner(sweep: SweepRecord) -> Size | None:
    """As ``crown`` found it; None before, and for a sweep of an older version."""
    facts = sweep.facts
    return Size(facts["parameters"], facts["flops_per_row"]) if "parameters" in facts else None


def final_config(sweep: SweepRecord, record: TrialRecord) -> Config:
    """The trial's config, complete, with the provenance of its result."""
    config = config_from_tree(record.trial.config)
    facts = sweep.facts
    provenance = {
        "sweep": sweep.name,
        "trial": record.trial.number,
        "seed": record.trial.seed,
        "metric": str(config.search.metric),
        "value": record.best_value,
        "best_epoch": record.best_epoch,
        "git_commit": facts["git_commit"],
        "git_dirty": facts["git_dirty"],
        "data_hash": facts["data_hash"],
        "versions": facts["versions"],
        "date": datetime.fromtimestamp(record.ended or sweep.created, UTC).strftime("%Y-%m-%d"),
    }
    # The working directory of the sweep: a job that starts elsewhere finds a relative path there.
    folder = config.data.folder or facts.get("data_folder")
    data = config.data.model_copy(update={"source": facts["data_source"], "folder": folder})
    # The engine that trained it, for only that one gives the same bits again.
    engine = (record.how or "").partition(":")[0]
    training = config.training.model_copy(update={"engine": engine} if engine else {})
    return config.model_copy(update={"data": data, "training": training, "forbid": [], "provenance": provenance})
