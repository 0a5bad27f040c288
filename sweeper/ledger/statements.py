"""The SQL of the writer, built once: SQLAlchemy caches each statement's compiled form by its structure.

An update sets the columns that are among its parameters; so its key's parameters are named ``key`` (sweep) and ``of`` (number).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from sweeper.ledger.records import AttemptResult
from sweeper.ledger.tables import attempt, ledger, range_test, report, sweep, tracked, tracked_sweep, trial

_RUNNING = attempt.c.result == sa.literal_column("'running'")  # literal, so that the partial index on running attempts is used


def _of(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.sweep == bindparam("sweep"), table.c.number == bindparam("number"))


# On PostgreSQL the lock on the sweep's row makes writers of one sweep wait for each other; SQLite has one writer anyway.
OWNED = select(sweep.c.owner_epoch, sweep.c.state, sweep.c.target).where(sweep.c.name == bindparam("name")).with_for_update()
HOLDER = (
    select(
        sweep.c.owner_host.label("host"),
        sweep.c.owner_pid.label("pid"),
        sweep.c.owner_machine.label("machine"),
        sweep.c.owner_start.label("start"),
        sweep.c.owner_since.label("since"),
        sweep.c.owner_seen.label("seen"),
    )
    .where(sweep.c.name == bindparam("name"))
    .with_for_update()
)
NEXT_EPOCH = sa.update(ledger).values(epochs=ledger.c.epochs + 1).returning(ledger.c.epochs)


SET_SWEEP = sa.update(sweep).where(sweep.c.name == bindparam("key"))
NOBODY = dict.fromkeys(("owner_host", "owner_pid", "owner_machine", "owner_start", "owner_since", "owner_seen"))
FACTS = select(sweep.c.facts).where(sweep.c.name == bindparam("name"))

PUT_TRIAL = sa.insert(trial)
PUT_TRACKED = sa.insert(tracked)
PUT_TRACKED_SWEEP = sa.insert(tracked_sweep)
PUT_ATTEMPTS = sa.insert(attempt).returning(attempt.c.id, attempt.c.number)
PUT_RANGE_TEST = sa.insert(range_test)
HAS_RANGE_TEST = select(func.count()).where(range_test.c.sweep == bindparam("sweep"), range_test.c.digest == bindparam("digest"))
SET_HOW = sa.update(attempt).where(attempt.c.id == bindparam("token")).values(how=bindparam("sentence"))


def put_report(dialect: str) -> sa.Insert:
    """Insert a report; on the second sight of an epoch replace all but its time."""
    insert = postgresql.insert(report) if dialect == "postgresql" else sqlite.insert(report)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[report.c.sweep, report.c.number, report.c.epoch],
        set_={"token": new.token, "ended": new.ended, "metrics": new.metrics},
    )


LIVE_ATTEMPTS = (
    select(attempt.c.id, attempt.c.number, attempt.c.started)
    .join(trial, sa.and_(trial.c.sweep == attempt.c.sweep, trial.c.number == attempt.c.number))
    .where(
        attempt.c.sweep == bindparam("sweep"), attempt.c.id.in_(bindparam("tokens", expanding=True)), _RUNNING, trial.c.outcome.is_(None)
    )
)
_LIVE_OF_TRIAL = sa.and_(attempt.c.sweep == trial.c.sweep, attempt.c.number == trial.c.number, _RUNNING)
TRIAL_STATES = (
    select(trial.c.number, trial.c.outcome, attempt.c.id.label("token"))
    .select_from(trial)
    .outerjoin(attempt, _LIVE_OF_TRIAL)
    .where(trial.c.sweep == bindparam("sweep"), trial.c.number.in_(bindparam("numbers", expanding=True)))
)
OPEN_TRIALS = (
    select(trial.c.number, attempt.c.id.label("token"), attempt.c.worker, attempt.c.started)
    .select_from(trial)
    .outerjoin(attempt, _LIVE_OF_TRIAL)
    .where(trial.c.sweep == bindparam("sweep"), trial.c.outcome.is_(None))
    .order_by(trial.c.number)
)
RUNNING_OF_WORKER = (
    select(attempt.c.number)
    .where(attempt.c.sweep == bindparam("sweep"), _RUNNING, attempt.c.worker == bindparam("worker"))
    .order_by(attempt.c.number)
)
_ATTEMPTS_OF = select(attempt.c.number, func.count()).where(attempt.c.sweep == bindparam("sweep")).group_by(attempt.c.number)
_AMONG = attempt.c.number.in_(bindparam("numbers", expanding=True))
COUNT_ATTEMPTS = _ATTEMPTS_OF.where(_AMONG)
COUNT_LOST = COUNT_ATTEMPTS.where(attempt.c.result == AttemptResult.LOST)
LOST_OF_OPEN = (
    _ATTEMPTS_OF.join(trial, sa.and_(trial.c.sweep == attempt.c.sweep, trial.c.number == attempt.c.number))
    .where(attempt.c.result == AttemptResult.LOST, trial.c.outcome.is_(None))
)  # fmt: skip
LAST_EPOCH = select(func.coalesce(func.max(report.c.epoch), 0)).where(_of(report))
LAST_EPOCH_OF_ATTEMPT = LAST_EPOCH.where(report.c.token == bindparam("token"))
LAST_NUMBER = select(func.coalesce(func.max(trial.c.number), -1)).where(trial.c.sweep == bindparam("sweep"))
NEXT_ORDER = select(func.coalesce(func.max(trial.c.closed_order), 0) + 1).where(trial.c.sweep == bindparam("sweep"))
PROGRESS = select(func.count(), func.count(trial.c.outcome)).select_from(trial).where(trial.c.sweep == bindparam("sweep"))

CLOSE_TRIAL = sa.update(trial).where(trial.c.sweep == bindparam("key"), trial.c.number == bindparam("of"))
END_ATTEMPT = sa.update(attempt).where(attempt.c.sweep == bindparam("key"), attempt.c.number == bindparam("of"), _RUNNING)
END_ATTEMPTS = sa.update(attempt).where(attempt.c.sweep == bindparam("key"), _RUNNING)
CUT_REPORTS = sa.delete(report).where(_of(report), report.c.epoch > bindparam("last"))
COUNT_RUNNING = select(func.count()).select_from(attempt).where(attempt.c.sweep == bindparam("sweep"), _RUNNING)
