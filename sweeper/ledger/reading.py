"""Rows into records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from sweeper.errors import InfrastructureError
from sweeper.ledger.codec import decode
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import RangeRecord, SweepRecord, SweepState, TrialRecord
from sweeper.ledger.tables import attempt, range_test, report, sweep, trial
from sweeper.trial import Metric, Outcome, RangeFinding, Report, Trial

SWEEPS = select(sweep).order_by(sweep.c.created, sweep.c.name)
SWEEP = select(sweep).where(sweep.c.name == bindparam("name"))


def _latest(column: sa.Column[Any]) -> sa.Label[Any]:
    """This of the trial's latest attempt."""
    of = select(column).where(attempt.c.sweep == trial.c.sweep, attempt.c.number == trial.c.number)
    return of.order_by(attempt.c.n.desc()).limit(1).correlate(trial).scalar_subquery().label(column.name)


LATEST = (_latest(attempt.c.started), _latest(attempt.c.how))
TRIALS = select(trial, *LATEST).where(trial.c.sweep == bindparam("sweep")).order_by(trial.c.number)
TRIAL = select(trial, *LATEST).where(trial.c.sweep == bindparam("sweep"), trial.c.number == bindparam("number"))
REPORTS = select(report).where(report.c.sweep == bindparam("sweep")).order_by(report.c.number, report.c.epoch)
REPORTS_OF_TRIAL = REPORTS.where(report.c.number == bindparam("number"), report.c.epoch > bindparam("after"))


RANGE_TESTS = select(range_test).where(range_test.c.sweep == bindparam("sweep")).order_by(range_test.c.at, range_test.c.digest)
EQUAL_RANGE_TESTS = select(range_test).where(range_test.c.signature == bindparam("signature")).order_by(range_test.c.at.desc()).limit(1)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Tells which row it is that somebody has damaged by hand."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise InfrastructureError(
            f"{what} is damaged in the ledger ({error}): put back a copy of the ledger, or `sweeper rm` the sweep and run it again"
        ) from error


def sweep_record(row: Any) -> SweepRecord:
    """A row of the sweep table."""
    with _readable(f"sweep {row.name!r}"):
        return _sweep_record(row)


def trial_record(row: Any) -> TrialRecord:
    """A row of the trial table."""
    with _readable(f"trial {row.number} of sweep {row.sweep!r}"):
        return _trial_record(row)


def report_of(row: Any) -> Report:
    """A row of the report table."""
    with _readable(f"epoch {row.epoch} of trial {row.number} of sweep {row.sweep!r}"):
        return Report(row.number, row.epoch, decode(row.metrics), row.at, row.ended)


def range_record(row: Any) -> RangeRecord:
    """A row of the table of range tests."""
    with _readable(f"range test {row.digest} of sweep {row.sweep!r}"):
        tree = decode(row.finding)
        bracket = tree["bracket"] and (tree["bracket"][0], tree["bracket"][1])
        found = RangeFinding(**{**tree, "bracket": bracket}, cost_steps=int(row.cost_steps), seconds=row.seconds)
        return RangeRecord(row.digest, found, bool(row.cached), row.at)


def _sweep_record(row: Any) -> SweepRecord:
    owner = None
    if row.owner_host is not None:
        owner = Owner(row.owner_host, row.owner_pid, row.owner_machine, row.owner_start, row.owner_since, row.owner_seen)
    return SweepRecord(
        name=row.name,
        space=row.space,
        fingerprint=row.fingerprint,
        metric=Metric(row.metric),
        target=row.target,
        state=SweepState(row.state),
        epoch=row.owner_epoch,
        owner=owner,
        created=row.created,
        ended=row.ended,
        facts=decode(row.facts),
    )


def _trial_record(row: Any) -> TrialRecord:
    return TrialRecord(
        trial=Trial(row.number, row.seed, decode(row.sampled), decode(row.config), row.shape, row.block, row.sibling),
        outcome=None if row.outcome is None else Outcome(row.outcome),
        reason=row.reason,
        best_value=row.best_value,
        best_epoch=row.best_epoch,
        epochs=row.epochs,
        seconds=row.seconds,
        created=row.created,
        ended=row.ended,
        closed_order=row.closed_order,
        started=row.started,
        how=row.how,
    )


def best_of(connection: sa.Connection, name: str, metric: Metric) -> TrialRecord | None:
    """The complete trial with the best value; of equal ones the lowest number."""
    value = trial.c.best_value
    order = value.asc() if metric.direction == "minimize" else value.desc()
    complete = TRIALS.where(trial.c.outcome == Outcome.COMPLETE, value.is_not(None)).order_by(None)
    row = connection.execute(complete.order_by(order, trial.c.number).limit(1), {"sweep": name}).one_or_none()
    return None if row is None else trial_record(row)
