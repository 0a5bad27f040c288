"""The ledger: every sweep, trial, attempt and report; whatever else shows a sweep can be thrown away and rebuilt from it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy import func, select

from sweeper.errors import InputError, SweepHeldError
from sweeper.ledger import cursor, reading
from sweeper.ledger import statements as sql
from sweeper.ledger.codec import encode
from sweeper.ledger.database import Database, parse
from sweeper.ledger.owner import SILENCE_S, Owner
from sweeper.ledger.records import (
    AttemptResult,
    Counts,
    Live,
    Mark,
    NewSweep,
    PastTrial,
    Pending,
    RangeRecord,
    SweepRecord,
    SweepState,
    TrackedSweep,
    TrialRecord,
)
from sweeper.ledger.tables import attempt, range_test, report, sweep, tracked, tracked_sweep, trial
from sweeper.ledger.writer import Writer
from sweeper.trial import Outcome, Report


class Ledger:
    """One store of sweeps; safe to share between threads. Each process opens its own."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    def open(cls, url: str, clock: Callable[[], float] = time.time) -> Ledger:
        """Open the ledger at a URL, and create it where there is none.

        Args:
            url: ``sqlite:///runs/ledger.db``, or ``postgresql://user@host/database``; its password is never shown.
            clock: the time, in unix seconds.

        Raises:
            InputError: this is not the URL of a store that can hold a ledger.
            InfrastructureError: the store cannot be reached, is damaged, is newer, or holds something else.
        """
        return cls(Database.open(url), clock)

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there is something to open: a file that holds something, or (not looked up) a server."""
        parsed = parse(url)
        if parsed.get_backend_name() != "sqlite":
            return True
        file = Path(parsed.database or "")
        return file.is_file() and file.stat().st_size > 0

    def __repr__(self) -> str:
        return f"Ledger({self.where!r})"

    @property
    def where(self) -> str:
        """The store's name for people, without any secret."""
        return self._database.where

    @property
    def database(self) -> Database:
        """The connection, for readings that no method here gives."""
        return self._database

    def close(self) -> None:
        """Give back all connections."""
        self._database.close()

    def damage(self) -> list[str]:
        """What is wrong with the store's file itself; empty when all is well."""
        return self._database.damage()

    # -- sweeps

    def create_sweep(self, new: NewSweep) -> None:
        """Enter a new sweep, open and without an owner.

        Raises:
            InputError: there is one of this name.
        """
        row: dict[str, Any] = {"name": new.name, "metric": new.metric, "target": new.target, "state": SweepState.OPEN, "owner_epoch": 0}
        row |= {"created": self._clock(), "fingerprint": new.fingerprint, "facts": encode(new.facts), "space": new.space}
        with self._database.write() as connection:
            try:
                connection.execute(sa.insert(sweep), row)
            except sa.exc.IntegrityError as error:
                raise InputError.of("ledger", "", f"there is a sweep named {new.name!r} already", hint="choose another --name") from error
            connection.execute(sql.PUT_TRACKED_SWEEP, {"sweep": new.name})

    def sweep(self, name: str) -> SweepRecord | None:
        """The sweep of this name, or None."""
        with self._database.read() as connection:
            row = connection.execute(reading.SWEEP, {"name": name}).one_or_none()
        return None if row is None else reading.sweep_record(row)

    def sweeps(self) -> list[SweepRecord]:
        """All sweeps, the oldest first."""
        with self._database.read() as connection:
            return [reading.sweep_record(row) for row in connection.execute(reading.SWEEPS)]

    def claim(self, name: str, owner: Owner) -> Writer:
        """Become the sweep's only writer; every earlier writer is stale, and every live attempt is lost with it.

        Raises:
            SweepHeldError: a live process has it.
            InputError: there is no such sweep.
        """
        now = self._clock()
        with self._database.write() as connection:
            self._refuse_held(connection, name, now)
            epoch = int(connection.execute(sql.NEXT_EPOCH).scalar_one())
            holder = {"owner_host": owner.host, "owner_pid": owner.pid, "owner_machine": owner.machine, "owner_start": owner.start}
            connection.execute(sql.SET_SWEEP, {"key": name, "owner_epoch": epoch, "owner_since": now, "owner_seen": now, **holder})
            connection.execute(sql.END_ATTEMPTS, {"key": name, "result": AttemptResult.ORPHANED, "ended": now})
        return self.writer(name, epoch)

    def writer(self, name: str, epoch: int) -> Writer:
        """The writer of a claim that was made elsewhere (another process of the same owner)."""
        return Writer(self._database, name, epoch, self._clock)

    def request_cancel(self, name: str) -> None:
        """Ask an open sweep's owner to end it; nothing happens to one that is over.

        Raises:
            InputError: there is no such sweep.
        """
        with self._database.write() as connection:
            row = connection.execute(sql.OWNED, {"name": name}).one_or_none()
            if row is None:
                self._refuse_unknown(connection, name)
            if row.state in {SweepState.OPEN, SweepState.BROKEN}:
                connection.execute(sql.SET_SWEEP, {"key": name, "state": SweepState.CANCELLING})

    def remove(self, name: str) -> None:
        """Remove a sweep with all that belongs to it.

        Raises:
            SweepHeldError: a live process drives it.
            InputError: there is no such sweep.
        """
        with self._database.write() as connection:
            self._refuse_held(connection, name, self._clock())
            for table in (tracked_sweep, tracked, range_test, report, attempt, trial):
                connection.execute(sa.delete(table).where(table.c.sweep == name))
            connection.execute(sa.delete(sweep).where(sweep.c.name == name))

    # -- reading

    def trials(self, sweep: str) -> list[TrialRecord]:
        """All trials of a sweep, by number."""
        with self._database.read() as connection:
            return [reading.trial_record(row) for row in connection.execute(reading.TRIALS, {"sweep": sweep})]

    def trial(self, sweep: str, number: int) -> TrialRecord | None:
        """One trial, or None."""
        with self._database.read() as connection:
            row = connection.execute(reading.TRIAL, {"sweep": sweep, "number": number}).one_or_none()
        return None if row is None else reading.trial_record(row)

    def reports(self, sweep: str, number: int | None = None, after: int = 0) -> list[Report]:
        """Reports of one trial (or of all), by number and epoch.

        Args:
            sweep: its name.
            number: of the trial; None: of every trial.
            after: only of epochs after this one; for one trial.
        """
        with self._database.read() as connection:
            if number is None:
                rows = connection.execute(reading.REPORTS, {"sweep": sweep})
            else:
                rows = connection.execute(reading.REPORTS_OF_TRIAL, {"sweep": sweep, "number": number, "after": after})
            return [reading.report_of(row) for row in rows]

    def counts(self, name: str) -> Counts:
        """How many trials are where.

        Raises:
            InputError: there is no such sweep.
        """
        with self._database.read() as connection:
            row = connection.execute(reading.SWEEP, {"name": name}).one_or_none()
            if row is None:
                self._refuse_unknown(connection, name)
            grouped = select(trial.c.outcome, func.count()).where(trial.c.sweep == name).group_by(trial.c.outcome)
            by = {outcome: int(count) for outcome, count in connection.execute(grouped)}
            running = connection.execute(sql.COUNT_RUNNING, {"sweep": name}).scalar_one()
        closed = {outcome.value: by.get(outcome.value, 0) for outcome in Outcome}
        return Counts(open=by.get(None, 0), running=int(running), numbered=sum(by.values()), target=row.target, **closed)

    def best(self, name: str) -> TrialRecord | None:
        """The complete trial with the best value of the sweep's metric; of equal ones the lowest number; None when there is none."""
        with self._database.read() as connection:
            row = connection.execute(reading.SWEEP, {"name": name}).one_or_none()
            return None if row is None else reading.best_of(connection, name, reading.sweep_record(row).metric)

    def known(self, name: str) -> SweepRecord:
        """The sweep of this name.

        Raises:
            InputError: there is no such sweep.
        """
        with self._database.read() as connection:
            row = connection.execute(reading.SWEEP, {"name": name}).one_or_none()
            if row is None:
                self._refuse_unknown(connection, name)
            return reading.sweep_record(row)

    def live(self, sweep: str) -> dict[int, Live]:
        """The live attempts, by the number of their trial."""
        with self._database.read() as connection:
            rows = connection.execute(sql.OPEN_TRIALS, {"sweep": sweep})
            return {int(row.number): Live(int(row.token), row.worker) for row in rows if row.token is not None}

    def lost(self, sweep: str) -> dict[int, int]:
        """How many attempts each open trial lost with a worker, by number; one that went down with the driver is not the trial's fault."""
        with self._database.read() as connection:
            return {int(number): int(count) for number, count in connection.execute(sql.LOST_OF_OPEN, {"sweep": sweep})}

    def past(self, sweep: str) -> list[PastTrial]:
        """All trials with their histories: closed ones in the order of closing, then open ones by number."""
        with self._database.read() as connection:
            records = [reading.trial_record(row) for row in connection.execute(reading.TRIALS, {"sweep": sweep})]
            live = {row.number: row.token for row in connection.execute(sql.OPEN_TRIALS, {"sweep": sweep})}
            rows = connection.execute(reading.REPORTS, {"sweep": sweep}).all()
        histories: dict[int, tuple[Report, ...]] = {}
        for number, group in groupby(rows, key=lambda row: int(row.number)):
            histories[number] = tuple(reading.report_of(row) for row in group if number not in live or row.token == live[number])
        records.sort(key=lambda record: (record.closed_order is None, record.closed_order or 0, record.number))
        return [PastTrial(record.trial, histories.get(record.number, ()), record.outcome) for record in records]

    def range_tests(self, sweep: str) -> list[RangeRecord]:
        """The range tests of a sweep, the oldest first."""
        with self._database.read() as connection:
            return [reading.range_record(row) for row in connection.execute(reading.RANGE_TESTS, {"sweep": sweep})]

    def equal_range_test(self, signature: str) -> RangeRecord | None:
        """The latest range test of any sweep with this signature, or None."""
        with self._database.read() as connection:
            row = connection.execute(reading.EQUAL_RANGE_TESTS, {"signature": signature}).one_or_none()
        return None if row is None else reading.range_record(row)

    # -- the tracker's cursor

    def pending(self, sweep: str, limit: int | None = None) -> list[Pending]:
        """Trials whose reports or outcome the tracker has not mirrored yet, by number."""
        with self._database.read() as connection:
            return cursor.pending(connection, sweep, limit)

    def count_pending(self, sweep: str) -> int:
        """How many trials ``pending`` would give."""
        with self._database.read() as connection:
            return cursor.count_pending(connection, sweep)

    def mark(self, sweep: str, number: int, *, run_id: str | None = None, epoch: int | None = None, outcome: Outcome | None = None) -> None:
        """The tracker has mirrored a trial so far; what is None stays as it was."""
        self.mark_many(sweep, [Mark(number, run_id, epoch, outcome)])

    def mark_many(self, sweep: str, marks: Sequence[Mark]) -> None:
        """Many ``mark``s in one transaction."""
        with self._database.write() as connection:
            cursor.mark(connection, sweep, marks)

    def tracked_sweep(self, sweep: str) -> TrackedSweep:
        """How far the tracker has mirrored the sweep itself."""
        with self._database.read() as connection:
            return cursor.tracked_sweep_of(connection, sweep)

    def mark_sweep(self, sweep: str, *, run_id: str | None = None, state: SweepState | None = None) -> None:
        """The tracker has made the sweep's run, or told its state."""
        with self._database.write() as connection:
            cursor.mark_sweep(connection, sweep, run_id, state)

    def reset_tracking(self, sweep: str) -> None:
        """Forget what was mirrored: the tracker's side will be built anew."""
        with self._database.write() as connection:
            cursor.reset(connection, sweep)

    # -- refusals

    def _refuse_held(self, connection: sa.Connection, name: str, now: float) -> None:
        row = connection.execute(sql.HOLDER, {"name": name}).one_or_none()
        if row is None:
            self._refuse_unknown(connection, name)
        if row.host is None:
            return
        holder = Owner(*row)
        if holder.alive(now):
            raise SweepHeldError(_held(name, holder, now))

    def _refuse_unknown(self, connection: sa.Connection, name: str) -> NoReturn:
        names: Iterable[str] = connection.execute(select(sweep.c.name)).scalars()
        near = difflib.get_close_matches(name, list(names), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see `sweeper list`"
        raise InputError.of("ledger", "", f"there is no sweep named {name!r}", hint=hint)


def _held(name: str, holder: Owner, now: float) -> str:
    since = datetime.fromtimestamp(holder.since).astimezone().isoformat(sep=" ", timespec="seconds")
    sentence = (
        f"sweep {name!r} is being driven by process {holder.pid} on {holder.host} since {since}; wait for it, or `sweeper cancel {name}`"
    )
    if holder.machine == Owner.here().machine:
        return sentence
    silent = max(0.0, now - holder.seen)
    return f"{sentence}; if that machine is gone, try again in {SILENCE_S - silent:.0f} s"
