"""How far the tracker has come. Its own tables, for it is another process than the sweep's owner that writes them.

What is still to be mirrored is found by an index that holds only unfinished trials: the cost follows what is pending, not what is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select

from sweeper.ledger.reading import LATEST, trial_record
from sweeper.ledger.records import Mark, Pending, SweepState, TrackedSweep
from sweeper.ledger.tables import report, tracked, tracked_sweep, trial

_SAME = sa.and_(trial.c.sweep == tracked.c.sweep, trial.c.number == tracked.c.number)
_AHEAD = sa.exists().where(
    report.c.sweep == tracked.c.sweep, report.c.number == tracked.c.number, report.c.epoch > tracked.c.epoch
).correlate(tracked)  # fmt: skip
_BEHIND = sa.and_(tracked.c.sweep == bindparam("sweep"), tracked.c.outcome.is_(None), sa.or_(trial.c.outcome.is_not(None), _AHEAD))
_PENDING = (
    select(trial, *LATEST, tracked.c.run_id, tracked.c.epoch.label("mirrored"))
    .select_from(tracked)
    .join(trial, _SAME)
    .where(_BEHIND)
    .order_by(tracked.c.number)
)
_COUNT = select(func.count()).select_from(tracked).join(trial, _SAME).where(_BEHIND)
_MARK = (
    sa.update(tracked)
    .where(tracked.c.sweep == bindparam("key"), tracked.c.number == bindparam("of"))
    .values(
        run_id=func.coalesce(bindparam("run", type_=sa.Text), tracked.c.run_id),
        epoch=func.coalesce(bindparam("to", type_=sa.Integer), tracked.c.epoch),
        outcome=func.coalesce(bindparam("end", type_=sa.String), tracked.c.outcome),
    )
)
_SWEEP = select(tracked_sweep).where(tracked_sweep.c.sweep == bindparam("sweep"))
_MARK_SWEEP = (
    sa.update(tracked_sweep)
    .where(tracked_sweep.c.sweep == bindparam("key"))
    .values(
        run_id=func.coalesce(bindparam("run", type_=sa.Text), tracked_sweep.c.run_id),
        state=func.coalesce(bindparam("to", type_=sa.String), tracked_sweep.c.state),
    )
)


def pending(connection: sa.Connection, sweep: str, limit: int | None) -> list[Pending]:
    """Trials whose reports or outcome are ahead of the cursor, by number."""
    rows = connection.execute(_PENDING.limit(limit), {"sweep": sweep})
    return [Pending(trial_record(row), row.run_id, row.mirrored + 1) for row in rows]


def count_pending(connection: sa.Connection, sweep: str) -> int:
    """How many trials ``pending`` would give."""
    return int(connection.execute(_COUNT, {"sweep": sweep}).scalar_one())


def mark(connection: sa.Connection, sweep: str, marks: Sequence[Mark]) -> None:
    """Move the cursor of these trials."""
    rows: list[dict[str, Any]] = [
        {"key": sweep, "of": item.number, "run": item.run_id, "to": item.epoch, "end": item.outcome} for item in marks
    ]
    if rows:
        connection.execute(_MARK, rows)


def tracked_sweep_of(connection: sa.Connection, sweep: str) -> TrackedSweep:
    """The cursor of the sweep itself."""
    row = connection.execute(_SWEEP, {"sweep": sweep}).one_or_none()
    if row is None:
        return TrackedSweep(None, None)
    return TrackedSweep(row.run_id, None if row.state is None else SweepState(row.state))


def mark_sweep(connection: sa.Connection, sweep: str, run_id: str | None, state: SweepState | None) -> None:
    """Move the cursor of the sweep itself."""
    connection.execute(_MARK_SWEEP, {"key": sweep, "run": run_id, "to": state})


def reset(connection: sa.Connection, sweep: str) -> None:
    """Forget what was mirrored: the tracker's side will be built anew."""
    blank = {"run_id": None, "epoch": 0, "outcome": None}
    connection.execute(sa.update(tracked).where(tracked.c.sweep == sweep).values(blank))
    connection.execute(sa.update(tracked_sweep).where(tracked_sweep.c.sweep == sweep).values(run_id=None, state=None))
