"""What must hold of every sweep in the ledger, whatever was killed and when. One function per invariant; empty means it holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import func, select

from sweeper.ledger.records import AttemptResult, SweepRecord, SweepState, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.ledger.tables import attempt, report
from sweeper.trial import Metric, Outcome, Report

_TRAINED = {Outcome.COMPLETE, Outcome.PRUNED, Outcome.DIVERGED}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that should not be.

    Attributes:
        invariant: its short name, such as ``I1``.
        subject: the sweep, or the trial as ``sweep/number``.
        sentence: what is wrong.
    """

    invariant: str
    subject: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant}  {self.subject}  {self.sentence}"


def check(ledger: Ledger, sweep: SweepRecord) -> list[Violation]:
    """Every invariant that the ledger alone can tell."""
    trials = ledger.trials(sweep.name)
    return [
        *complete(sweep, trials),
        *no_repeated_work(ledger, sweep, trials),
        *history(ledger, sweep, trials),
        *best_is_right(ledger, sweep, trials),
    ]


def complete(sweep: SweepRecord, trials: Iterable[TrialRecord]) -> list[Violation]:
    """I1: a finished sweep has exactly its trials, each in one terminal state with its reason."""
    trials = list(trials)
    found: list[Violation] = []
    numbers = {record.number for record in trials}
    if sweep.state is SweepState.COMPLETE:
        missing = sorted(set(range(sweep.target)) - numbers)
        if missing:
            found.append(
                Violation("I1", sweep.name, f"is complete, but {len(missing)} of {sweep.target} trials are missing, first {missing[0]}")
            )
    found += [
        Violation("I1", f"{sweep.name}/{number}", f"lies beyond the sweep's {sweep.target} trials")
        for number in sorted(number for number in numbers if not 0 <= number < sweep.target)
    ]
    over = sweep.state in {SweepState.COMPLETE, SweepState.CANCELLED}
    for record in trials:
        subject = f"{sweep.name}/{record.number}"
        if record.outcome is None:
            if over:
                found.append(Violation("I1", subject, f"is open, but the sweep is {sweep.state}"))
        elif not record.reason or record.ended is None:
            found.append(Violation("I1", subject, f"is {record.outcome} without a reason or a time"))
    order = sorted(record.closed_order or 0 for record in trials if record.outcome is not None)
    if order != list(range(1, len(order) + 1)):
        found.append(Violation("I1", sweep.name, "does not know the order in which its trials were closed"))
    return found


def no_repeated_work(ledger: Ledger, sweep: SweepRecord, trials: Iterable[TrialRecord]) -> list[Violation]:
    """I4: no attempt after a trial is closed; at most one live attempt per trial; the attempts of a closed trial have all ended."""
    columns = select(attempt.c.number, attempt.c.n, attempt.c.result).where(attempt.c.sweep == sweep.name)
    with ledger.database.read() as connection:
        rows = connection.execute(columns.order_by(attempt.c.number, attempt.c.n)).all()
    results = {number: [row.result for row in group] for number, group in groupby(rows, key=lambda row: int(row.number))}
    found: list[Violation] = []
    for record in trials:
        history = results.get(record.number, [])
        sentence = _attempts(record.outcome, history)
        if sentence:
            found.append(Violation("I4", f"{sweep.name}/{record.number}", sentence))
    return found


def _attempts(outcome: Outcome | None, results: list[str]) -> str | None:
    running, ended = results.count(AttemptResult.RUNNING), results.count(AttemptResult.ENDED)
    if running > 1:
        return f"has {running} live attempts"
    if outcome is None:
        return "is open, but an attempt of it has ended" if ended else None
    if running:
        return f"is {outcome}, but has a live attempt"
    if ended > 1:
        return f"was trained to its end {ended} times"
    if ended and results[-1] != AttemptResult.ENDED:
        return "was started again after it had ended"
    if not ended and outcome in _TRAINED:
        return f"is {outcome}, but no attempt of it has ended"
    return None


def history(ledger: Ledger, sweep: SweepRecord, trials: Iterable[TrialRecord]) -> list[Violation]:
    """I6, the ledger's part: epochs 1 to the last without gaps."""
    epoch = report.c.epoch
    spans = select(report.c.number, func.count(), func.min(epoch), func.max(epoch)).where(report.c.sweep == sweep.name)
    with ledger.database.read() as connection:
        found = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(spans.group_by(report.c.number))}
    violations: list[Violation] = []
    for record in trials:
        count, first, last = found.get(record.number, (0, 1, 0))
        subject = f"{sweep.name}/{record.number}"
        if first != 1 or count != last:
            violations.append(Violation("I6", subject, f"has {count} reports of the epochs {first} to {last}"))
        elif record.outcome is not None and last != record.epochs:
            violations.append(Violation("I6", subject, f"was closed after epoch {record.epochs}, but its last report is of epoch {last}"))
    return violations


def best_is_right(ledger: Ledger, sweep: SweepRecord, trials: Iterable[TrialRecord]) -> list[Violation]:
    """I7, the ledger's part: each trial's best value is that of its reports, and the recorded winner has the best of all.

    The winner is the sweep's fact ``winner``, a trial's number; it is checked when it is there.
    """
    trials = list(trials)
    found: list[Violation] = []
    reports = {number: list(group) for number, group in groupby(ledger.reports(sweep.name), key=lambda item: item.trial)}
    champion: tuple[int, float] | None = None
    for record in trials:
        seen = _best(reports.get(record.number, []), sweep.metric)
        told = None if record.best_value is None or record.best_epoch is None else (record.best_value, record.best_epoch)
        if told != seen and (told is not None or record.outcome is Outcome.COMPLETE):
            found.append(
                Violation("I7", f"{sweep.name}/{record.number}", f"records {_say(told)} as its best, its reports say {_say(seen)}")
            )
        if record.outcome is Outcome.COMPLETE and seen and (champion is None or sweep.metric.better(seen[0], champion[1])):
            champion = record.number, seen[0]
    winner = sweep.facts.get("winner")
    if winner is not None and (champion is None or winner != champion[0]):
        best = "no trial is complete" if champion is None else f"trial {champion[0]} is better"
        found.append(Violation("I7", sweep.name, f"records trial {winner} as its winner, but {best}"))
    return found


def _best(reports: Iterable[Report], metric: Metric) -> tuple[float, int] | None:
    value, epoch = math.nan, 0
    for item in reports:
        candidate = item.metrics.get(metric.value, math.nan)
        if metric.better(candidate, value):
            value, epoch = candidate, item.epoch
    return (value, epoch) if epoch else None


def _say(best: tuple[float, int] | None) -> str:
    return "nothing" if best is None else f"{best[0]!r} at epoch {best[1]}"
