"""What is said at the end of a sweep, for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from sweeper.app.finish import size_of_winner
from sweeper.app.home import Home
from sweeper.app.ranges import ranges_in
from sweeper.app.ranges import show as show_ranges
from sweeper.app.sweep import Finished
from sweeper.ledger.records import SweepState
from sweeper.ledger.store import Ledger
from sweeper.tracking.ranges import MOST_LINES
from sweeper.tracking.tables import Winner, next_steps, winner_view

WHY_NOT = {
    SweepState.BROKEN: (
        "stopped: the first trials all failed alike, which is broken code and not a bad config; "
        "mend it and run again, with --fresh to have these trials, too"
    ),
    SweepState.CANCELLED: "cancelled",
    SweepState.CANCELLING: "being cancelled",
    SweepState.OPEN: "open: the same command goes on with it",
}


def winner_of(home: Home, ledger: Ledger, finished: Finished) -> Winner | None:
    """The winner with all that is told of it; None when no trial completed."""
    record, sweep = finished.winner, finished.sweep
    if record is None or record.best_epoch is None:
        return None
    test = sweep.facts.get("test", {"metrics": {}, "touches": 0})
    baseline = sweep.facts["baseline"]
    reports = {report.epoch: report for report in ledger.reports(sweep.name, record.number)}
    return Winner(
        name=f"{sweep.name}/{record.number}",
        metric=sweep.metric,
        epoch=record.best_epoch,
        values=record.trial.values,
        metrics=reports[record.best_epoch].metrics,
        baseline_name=baseline["name"],
        baseline={key: value for key, value in baseline.items() if key != "name"},
        test=test["metrics"],
        touches=test["touches"],
        size=size_of_winner(sweep),
        config=home.shown(home.sweep_dir(sweep.name) / "best.yaml"),
    )


def behind(winner: Winner) -> list[str]:
    """The parts of the data on which the winner is no better than the baseline, by the searched metric."""
    score = winner.metric.removeprefix("val_")
    pairs = {
        "validation": (winner.metrics[winner.metric], winner.baseline.get(winner.metric)),
        "test": (winner.test.get(score), winner.baseline.get(f"test_{score}")),
    }
    return [
        part for part, (ours, theirs) in pairs.items() if ours is not None and theirs is not None and not winner.metric.better(ours, theirs)
    ]


def show(finished: Finished) -> None:
    """Print the end of a sweep for people."""
    home = Home.from_environment()
    console = Console(highlight=False)
    counts, sweep = finished.counts, finished.sweep
    if sweep.state in WHY_NOT:
        console.print(f"{sweep.name} is {WHY_NOT[sweep.state]}", markup=False)
    told = [f"{counts.closed} of {counts.target} trials"]
    told += [f"{number} {word}" for word in ("complete", "pruned", "diverged", "failed", "cancelled") if (number := getattr(counts, word))]
    console.print(", ".join(told), f"in {finished.seconds:.0f} s")
    ledger = Ledger.open(home.ledger_url)
    winner = winner_of(home, ledger, finished)
    if winner is None:
        words = f"no trial completed, so there is no winner; `sweeper show {sweep.name}` tells why, and --fresh starts anew"
        console.print(words, markup=False)
    else:
        console.print(winner_view(winner))
        for part in behind(winner):
            score = winner.metric.removeprefix("val_")
            console.print(f"by {score}, {winner.baseline_name} is ahead on the {part} part\n", style="yellow", markup=False)
    if (ranges := ranges_in(ledger, sweep)) is not None:
        show_ranges(console, ranges, MOST_LINES)
    if winner is not None:
        console.print(next_steps(winner.config), soft_wrap=True)
    if counts.failed:
        reason = next(record.reason for record in ledger.trials(sweep.name) if record.outcome == "failed")
        console.print(f"{counts.failed} trials failed; the first: {reason}", markup=False)


def show_pending(finished: Finished) -> None:
    """Print what MLflow lacks, if anything."""
    if finished.pending:
        print(f"\nMLflow still lacks {finished.pending} records; `sweeper sync {finished.sweep.name}` brings them")
        if finished.trouble:
            print(finished.trouble)


def as_dict(finished: Finished) -> dict[str, Any]:
    """The end of a sweep as one JSON object."""
    home = Home.from_environment()
    sweep, counts = finished.sweep, finished.counts
    ledger = Ledger.open(home.ledger_url)
    winner, ranges = winner_of(home, ledger, finished), ranges_in(ledger, sweep)
    return {
        "sweep": sweep.name,
        "state": sweep.state.value,
        "metric": sweep.metric.value,
        "trials": {word: getattr(counts, word) for word in ("target", "complete", "pruned", "diverged", "failed", "cancelled", "open")},
        "winner": finished.winner
        and winner
        and {
            "trial": finished.winner.number,
            "value": finished.winner.best_value,
            "epoch": winner.epoch,
            "values": dict(winner.values),
            "size": winner.size and {"parameters": winner.size.parameters, "flops_per_row": winner.size.flops},
            "metrics": dict(winner.metrics),
            "config": str(home.sweep_dir(sweep.name) / "best.yaml"),
            "model": str(home.sweep_dir(sweep.name) / "model"),
        },
        "test": sweep.facts.get("test"),
        "baseline_ahead": behind(winner) if winner else None,
        "baseline": sweep.facts.get("baseline"),
        "lr_range": ranges and ranges.as_dict(),
        "tracking_pending": finished.pending,
        "seconds": round(finished.seconds, 3),
        "exit_code": finished.exit_code,
    }
