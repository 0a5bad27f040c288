"""The tables of ``sweep``, ``list`` and ``show``: pure functions from records to Rich renderables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweeper.core.diagnose import WATCHED, Diagnosis
from sweeper.core.sizes import Size
from sweeper.ledger.records import Counts, SweepRecord, TrialRecord
from sweeper.tracking.flow import Flow
from sweeper.tracking.words import duration, number, scalar
from sweeper.trial import Metric, Outcome, Report, Scalar

OUTCOME_STYLE: Mapping[Outcome | None, str] = {
    None: "",
    Outcome.COMPLETE: "green",
    Outcome.PRUNED: "dim",
    Outcome.DIVERGED: "yellow",
    Outcome.FAILED: "red",
    Outcome.CANCELLED: "yellow",
}


@dataclass(frozen=True, slots=True)
class Winner:
    """What the end of a sweep has to say.

    Attributes:
        name: as in ``mlp/17``.
        metric: what was searched.
        epoch: the winner's best epoch.
        values: what was sampled.
        metrics: validation metrics at that epoch.
        baseline_name: such as "logistic regression".
        baseline: its metrics, ``val_...`` and ``test_...``.
        test: the winner's metrics on the test part, with or without the prefix ``test_``; empty before the test.
        touches: how often the test part was evaluated.
        size: of its model; None: not known, for a sweep of an older version.
        config: where ``best.yaml`` is, as a user would type it.
    """

    name: str
    metric: Metric
    epoch: int
    values: Mapping[str, Scalar]
    metrics: Mapping[str, float]
    baseline_name: str
    baseline: Mapping[str, float]
    test: Mapping[str, float]
    touches: int
    size: Size | None
    config: str


def _table(*headings: str, numeric: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False, padding=(0, 1))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numeric else "left", overflow="fold")
    return table


def winner_view(winner: Winner) -> RenderableType:
    """The winner beside the baseline, and its values."""
    table = _table("", "winner", winner.baseline_name, "better by", numeric=("winner", winner.baseline_name, "better by"))
    validation = [key for key in winner.metrics if key in set(Metric)]
    for key in sorted(validation, key=lambda key: key != winner.metric):
        _compare(table, key, key, winner.metrics[key], winner.baseline.get(key))
    touched = {1: "touched once", 2: "touched twice"}.get(winner.touches, f"touched {winner.touches} times")
    for key, value in winner.test.items():
        name = key.removeprefix("test_")
        _compare(table, f"test {name} ({touched})", f"val_{name}", value, winner.baseline.get(f"test_{name}"))
    return Group(
        Text.assemble(
            ("Winner  ", "dim"), (winner.name, "bold"), f"  epoch {winner.epoch}", "" if winner.size is None else f"  {winner.size}"
        ),
        Padding(table, (1, 0, 1, 2)),
        Text("Sampled values", "dim"),
        Padding(_pairs({name: scalar(value) for name, value in winner.values.items()}), (0, 0, 1, 2)),
    )


def _compare(table: Table, label: str, key: str, value: float, baseline: float | None) -> None:
    difference = ""
    if baseline is not None and key in set(Metric) and math.isfinite(value):
        gain = Metric(key).gain(value, over=baseline)
        difference = f"[green]{number(gain)}[/]" if gain > 0 else f"[yellow]{number(gain)}[/]"
    table.add_row(label, number(value), number(baseline), difference)


def next_steps(config: str) -> Text:
    """What to do with a winner's config; to be printed with ``soft_wrap``, which leaves long lines whole for copying."""
    steps = {
        "make ui": "the MLflow UI",
        f"make train CONFIG={config}": "a production job",
        f'sweeper.train(sweeper.load_config("{config}"))': "in Python",
    }
    width = max(map(len, steps))
    return Text.assemble(("Next", "dim"), *(part for step, told in steps.items() for part in (f"\n  {step:{width}}   ", (told, "dim"))))


def _pairs(pairs: Mapping[str, str]) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(no_wrap=True, overflow="fold")
    for left, right in pairs.items():
        grid.add_row(Text(left, "dim"), Text(right))
    return grid


def sweeps_table(rows: Sequence[tuple[SweepRecord, Counts, TrialRecord | None]]) -> RenderableType:
    """One line per sweep: state, trials, best."""
    if not rows:
        return Text("No sweeps yet. Start one: sweeper sweep mlp", "dim")
    table = _table("sweep", "state", "done", "failed", "best", "trial", "started", numeric=("done", "failed", "best", "trial"))
    for sweep, counts, best in rows:
        value = "-" if best is None else f"{sweep.metric} {number(best.best_value)}"
        table.add_row(
            Text(sweep.name, "bold"),
            sweep.state,
            f"{counts.closed}/{counts.target}",
            Text(str(counts.failed), "red" if counts.failed else ""),
            value,
            "-" if best is None else str(best.number),
            Text(when(sweep.created), "dim"),
        )
    return table


def trials_table(records: Sequence[TrialRecord], metric: Metric) -> RenderableType:
    """One line per trial, the best first, then the open ones, then the rest by number."""
    if not records:
        return Text("No trials yet.", "dim")
    table = _table("trial", "outcome", metric.value, "epoch", "values, and why it ended", numeric=("trial", metric.value, "epoch"))
    for record in sorted(records, key=lambda record: _rank(record, metric)):
        table.add_row(
            str(record.trial.number),
            Text(record.outcome or "open", OUTCOME_STYLE[record.outcome]),
            number(record.best_value),
            "-" if record.best_epoch is None else str(record.best_epoch),
            Group(Flow(record.trial.values), *([Text(record.reason, "dim")] if record.reason else [])),
        )
    return table


def _rank(record: TrialRecord, metric: Metric) -> tuple[int, float, int]:
    if record.outcome is Outcome.COMPLETE and record.best_value is not None:
        return (0, -metric.gain(record.best_value, over=0.0), record.trial.number)
    return (1 if record.outcome is None else 2, 0.0, record.trial.number)


def trial_panel(
    sweep: str, record: TrialRecord, reports: Sequence[Report], metric: Metric, diagnosis: Diagnosis | None = None
) -> RenderableType:
    """One trial: how it ended, what was wrong with it, what was sampled, its epochs."""
    head = Text.assemble((f"{sweep}/{record.trial.number}  ", "bold"), (str(record.outcome or "open"), OUTCOME_STYLE[record.outcome]))
    if record.reason:
        head.append(f"  {record.reason}")
    facts = {"seed": str(record.trial.seed), "shape": record.trial.shape}
    if record.how is not None:
        facts["engine"] = record.how
    if diagnosis is not None:
        facts["diagnosis"] = f"{diagnosis.tag}: {diagnosis.sentence}"
    if record.best_value is not None:
        facts[f"best {metric}"] = f"{number(record.best_value)} at epoch {record.best_epoch}"
    if reports:
        facts["trained"] = f"{len(reports)} epochs in {duration(sum(report.metrics.get('seconds', 0.0) for report in reports))}"
    parts: list[RenderableType] = [head, Padding(_pairs(facts), (1, 0, 1, 2)), Text("Sampled values", "dim")]
    parts.append(Padding(_pairs({name: scalar(value) for name, value in record.trial.values.items()}), (0, 0, 1, 2)))
    if reports:
        parts += _inside(reports)
        names = list(dict.fromkeys(key for report in reports for key in report.metrics if not key.startswith(WATCHED)))
        headings = ["epoch", *(name.replace("_", "\n", 1) for name in names)]
        table = _table(*headings, numeric=headings)
        for report in reports:
            style = "bold" if report.epoch == record.best_epoch else ""
            table.add_row(str(report.epoch), *(number(report.metrics.get(name)) for name in names), style=style)
        parts.append(Padding(table, (0, 0, 0, 2)))
    return Group(*parts)


def _inside(reports: Sequence[Report]) -> list[RenderableType]:
    """The monitor's numbers of the last epoch that has any."""
    for report in reversed(reports):
        found = {key.removeprefix(WATCHED): number(value) for key, value in report.metrics.items() if key.startswith(WATCHED)}
        if found:
            return [Text(f"Monitor, epoch {report.epoch}", "dim"), Padding(_pairs(found), (0, 0, 1, 2))]
    return []


def when(at: float) -> str:
    """A unix time as local ``2025-11-20 11:04``."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
