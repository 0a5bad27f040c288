"""The only way into a sweep's trials: every transaction first checks that the writer still owns the sweep.

After ``kill -9`` of a driver its orphans go on reporting for seconds, while the next driver already works. So a writer
carries its owner epoch, an attempt carries its token, and who holds an old one of either is refused.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from sweeper.errors import StaleWriterError
from sweeper.ledger import statements as sql
from sweeper.ledger.codec import clean, decode, encode
from sweeper.ledger.database import Database
from sweeper.ledger.records import AttemptResult, Entry, SweepState
from sweeper.trial import Outcome, RangeFinding, Stop, Trial

_GOING = {SweepState.OPEN, SweepState.CANCELLING}


class Writer:
    """Writes to one sweep for as long as nobody else claims it; safe to share between threads.

    Every method is one transaction, and raises StaleWriterError, having written nothing, when the sweep is no longer this writer's.
    """

    def __init__(self, database: Database, sweep: str, epoch: int, clock: Callable[[], float] = time.time) -> None:
        self.sweep = sweep
        self.epoch = epoch
        self._database = database
        self._clock = clock
        self._put_report = sql.put_report(database.dialect)

    def __repr__(self) -> str:
        return f"Writer({self.sweep!r}, epoch={self.epoch})"

    def start(self, numbers: Sequence[int], worker: str, new: Sequence[Trial] = ()) -> list[int]:
        """Enter new trials, and start an attempt of each of these open trials, new or older ones, that has no live one.

        Returns:
            The attempts' tokens, in the order of ``numbers``.

        Raises:
            StaleWriterError: also when one of the trials is closed or has a live attempt, and when the sweep is over.
            ValueError: there is no such trial; a new one's number is taken already, or lies beyond the sweep's target.
        """
        if not numbers and not new:
            return []
        with self._owned() as (connection, row):
            self._going(row)
            now = self._clock()
            if new:
                self._number(connection, new, row.target, now)
            fresh = {trial.number for trial in new}
            older = [number for number in numbers if number not in fresh]
            tried: dict[int, int] = {}
            if older:
                self._idle(connection, older)
                tried = self._counted(connection, sql.COUNT_ATTEMPTS, older)
            common = {"sweep": self.sweep, "worker": worker, "started": now, "result": AttemptResult.RUNNING}
            attempts = [{**common, "number": number, "n": tried.get(number, 0) + 1} for number in numbers]
            tokens = {number: token for token, number in connection.execute(sql.PUT_ATTEMPTS, attempts)} if attempts else {}
            return [tokens[number] for number in numbers]

    def record(self, entries: Sequence[Entry]) -> SweepState:
        """Enter reports, in order of epoch per trial, and close the trials whose verdict is a Stop. A sign of life, as ``beat`` is.

        What a trial reports after the report that closes it, in the same call, is dropped. A report of an epoch that an
        earlier, lost attempt had reached replaces it but keeps its time, so that a tracker sees the same point again; so does one that is
        entered twice.

        Returns:
            The sweep's state.

        Raises:
            StaleWriterError: also when one of the attempts is not live any more; then nothing of the call is written.
            ValueError: a token that belongs to another trial than its report, or a best value that is not finite.
        """
        if not entries:
            return self.beat()
        with self._owned() as (connection, row):
            live = self._live(connection, {entry.token for entry in entries})
            reports: list[dict[str, Any]] = []
            closing: dict[int, tuple[Entry, Stop]] = {}
            for entry in entries:
                if entry.report.trial != live[entry.token].number:
                    raise ValueError(
                        f"token {entry.token} is of trial {live[entry.token].number}, the report of trial {entry.report.trial}"
                    )
                if entry.best is not None and not math.isfinite(entry.best[0]):
                    raise ValueError(f"the best value of trial {entry.report.trial} is {entry.best[0]}")
                if entry.token in closing:
                    continue
                reports.append(self._report(entry))
                if isinstance(entry.verdict, Stop):
                    closing[entry.token] = entry, entry.verdict
            connection.execute(self._put_report, reports)
            hows = [{"token": entry.token, "sentence": clean(entry.report.how)} for entry in entries if entry.report.how is not None]
            if hows:
                connection.execute(sql.SET_HOW, hows)
            for token, (entry, stop) in closing.items():
                report = entry.report
                self._close(
                    connection, report.trial, stop.outcome, stop.sentence, epochs=report.epoch, started=live[token].started, best=entry.best
                )
            return self._seen(connection, row)

    def put_range_test(self, digest: str, signature: str, finding: RangeFinding, *, cached: bool = False) -> None:
        """Enter what a range test found; of several findings of one test the first stays.

        Args:
            digest: of the test.
            signature: of the test with data, device and version.
            finding: what it found; a cached one has cost nothing.
            cached: it was made for another sweep.
        """
        with self._owned() as (connection, _):
            if connection.execute(sql.HAS_RANGE_TEST, {"sweep": self.sweep, "digest": digest}).scalar_one():
                return
            text = encode(
                {
                    "status": finding.status,
                    "sentence": clean(finding.sentence),
                    "suggestion": finding.suggestion,
                    "bracket": finding.bracket,
                    "result": finding.result,
                }
            )
            cost = {"cost_steps": finding.cost_steps, "seconds": finding.seconds, "at": self._clock()}
            row = {"sweep": self.sweep, "digest": digest, "signature": signature, "cached": cached, "finding": text, **cost}
            connection.execute(sql.PUT_RANGE_TEST, row)

    def fail(self, token: int, reason: str) -> None:
        """Close a trial as failed: its code raised.

        Raises:
            StaleWriterError: also when the attempt is not live any more.
        """
        with self._owned() as (connection, _):
            attempt = self._live(connection, {token})[token]
            last = self._last(connection, attempt.number, token)
            self._close(connection, attempt.number, Outcome.FAILED, reason, epochs=last, started=attempt.started)

    def close(self, number: int, outcome: Outcome, reason: str) -> None:
        """Close an open trial that has no live attempt, as after too many lost ones.

        Raises:
            StaleWriterError: also when the trial is closed or has a live attempt.
            ValueError: there is no such trial.
        """
        with self._owned() as (connection, _):
            self._idle(connection, [number])
            self._close(connection, number, outcome, reason, epochs=self._last(connection, number))

    def release(self, worker: str) -> dict[int, int]:
        """The worker is gone: its live attempts are lost and their trials open again.

        Returns:
            How many attempts each of these trials has lost by now, by number.
        """
        with self._owned() as (connection, _):
            numbers = list(connection.execute(sql.RUNNING_OF_WORKER, {"sweep": self.sweep, "worker": worker}).scalars())
            if not numbers:
                return {}
            for number in numbers:
                self._end(connection, number, AttemptResult.LOST)
            return self._counted(connection, sql.COUNT_LOST, numbers)

    def close_open(self, outcome: Outcome, reason: str) -> list[int]:
        """Close every open trial (a cancelled sweep); returns their numbers."""
        with self._owned() as (connection, _):
            rows = connection.execute(sql.OPEN_TRIALS, {"sweep": self.sweep}).all()
            for row in rows:
                last = self._last(connection, row.number, row.token)
                self._close(connection, row.number, outcome, reason, epochs=last, started=row.started)
            return [row.number for row in rows]

    def set_facts(self, **facts: Any) -> None:
        """Merge these into the sweep's facts, key by key at the top level."""
        with self._owned() as (connection, _):
            known = decode(connection.execute(sql.FACTS, {"name": self.sweep}).scalar_one())
            connection.execute(sql.SET_SWEEP, {"key": self.sweep, "facts": encode({**known, **facts})})

    def extend(self, target: int) -> None:
        """Open the sweep again (unless it is being cancelled), with this many trials in all.

        Raises:
            ValueError: a trial beyond the new target exists already.
        """
        with self._owned() as (connection, row):
            last = connection.execute(sql.LAST_NUMBER, {"sweep": self.sweep}).scalar_one()
            if target <= last:
                raise ValueError(f"sweep {self.sweep!r} has trial {last} already, so it cannot have {target} trials")
            state = SweepState.CANCELLING if row.state == SweepState.CANCELLING else SweepState.OPEN
            connection.execute(sql.SET_SWEEP, {"key": self.sweep, "target": target, "state": state, "ended": None})

    def finish(self, state: SweepState) -> None:
        """End the sweep in this state.

        Raises:
            ValueError: trials are open (unless it is broken), or missing although it shall be complete.
        """
        with self._owned() as (connection, row):
            numbered, closed = connection.execute(sql.PROGRESS, {"sweep": self.sweep}).one()
            if closed < numbered and state is not SweepState.BROKEN:
                raise ValueError(f"sweep {self.sweep!r} cannot be {state}: {numbered - closed} trials are open")
            if numbered < row.target and state is SweepState.COMPLETE:
                raise ValueError(f"sweep {self.sweep!r} cannot be complete: it has {numbered} of {row.target} trials")
            connection.execute(sql.SET_SWEEP, {"key": self.sweep, "state": state, "ended": self._clock()})

    def beat(self) -> SweepState:
        """Give a sign of life; returns the sweep's state, so that the owner hears of a wish to cancel."""
        with self._owned() as (connection, row):
            return self._seen(connection, row)

    def release_owner(self) -> None:
        """Give the sweep up: nobody owns it, and this writer and its copies are stale from now on."""
        with self._owned() as (connection, _):
            connection.execute(sql.END_ATTEMPTS, {"key": self.sweep, "result": AttemptResult.ORPHANED, "ended": self._clock()})
            epoch = connection.execute(sql.NEXT_EPOCH).scalar_one()
            connection.execute(sql.SET_SWEEP, {"key": self.sweep, "owner_epoch": epoch, **sql.NOBODY})

    @contextmanager
    def _owned(self) -> Iterator[tuple[sa.Connection, Any]]:
        with self._database.write() as connection:
            row = connection.execute(sql.OWNED, {"name": self.sweep}).one_or_none()
            if row is None:
                raise StaleWriterError(f"sweep {self.sweep!r} is not in the ledger any more")
            if row.owner_epoch != self.epoch:
                raise StaleWriterError(
                    f"sweep {self.sweep!r} has another owner now (epoch {row.owner_epoch}, this writer has {self.epoch})"
                )
            yield connection, row

    def _seen(self, connection: sa.Connection, row: Any) -> SweepState:
        connection.execute(sql.SET_SWEEP, {"key": self.sweep, "owner_seen": self._clock()})
        return SweepState(row.state)

    def _going(self, row: Any) -> None:
        if row.state not in _GOING:
            raise StaleWriterError(f"sweep {self.sweep!r} is {row.state}: no trial can be started")

    def _live(self, connection: sa.Connection, tokens: set[int]) -> dict[int, Any]:
        live = {row.id: row for row in connection.execute(sql.LIVE_ATTEMPTS, {"sweep": self.sweep, "tokens": list(tokens)})}
        gone = sorted(tokens - live.keys())
        if gone:
            raise StaleWriterError(f"attempt {gone[0]} of sweep {self.sweep!r} is not live any more")
        return live

    def _number(self, connection: sa.Connection, trials: Sequence[Trial], target: int, now: float) -> None:
        beyond = [trial.number for trial in trials if not 0 <= trial.number < target]
        if beyond:
            raise ValueError(f"trial {beyond[0]} of sweep {self.sweep!r}, which has {target} trials")
        try:
            connection.execute(sql.PUT_TRIAL, [self._trial(trial, now) for trial in trials])
        except sa.exc.IntegrityError as error:
            raise ValueError(f"sweep {self.sweep!r} has some of the trials {[trial.number for trial in trials]} already") from error
        connection.execute(sql.PUT_TRACKED, [{"sweep": self.sweep, "number": trial.number, "epoch": 0} for trial in trials])

    def _idle(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        """Refuse what is not an open trial without a live attempt."""
        rows = {row.number: row for row in connection.execute(sql.TRIAL_STATES, {"sweep": self.sweep, "numbers": numbers})}
        for number in numbers:
            row = rows.get(number)
            if row is None:
                raise ValueError(f"sweep {self.sweep!r} has no trial {number}")
            if row.outcome is not None:
                raise StaleWriterError(f"trial {number} of sweep {self.sweep!r} is {row.outcome} already")
            if row.token is not None:
                raise StaleWriterError(f"trial {number} of sweep {self.sweep!r} has a live attempt ({row.token})")

    def _counted(self, connection: sa.Connection, attempts: sa.Select[Any], numbers: Sequence[int]) -> dict[int, int]:
        """How many of these attempts each of these trials has, in the order of ``numbers``."""
        rows = connection.execute(attempts, {"sweep": self.sweep, "numbers": numbers})
        found = {int(number): int(count) for number, count in rows}
        return {number: found.get(number, 0) for number in numbers}

    def _last(self, connection: sa.Connection, number: int, token: int | None = None) -> int:
        """The last epoch that this attempt has reported (any attempt, without a token); 0 when there is none."""
        if token is None:
            return int(connection.execute(sql.LAST_EPOCH, self._key(number)).scalar_one())
        return int(connection.execute(sql.LAST_EPOCH_OF_ATTEMPT, {**self._key(number), "token": token}).scalar_one())

    def _close(
        self,
        connection: sa.Connection,
        number: int,
        outcome: Outcome,
        reason: str,
        *,
        epochs: int,
        started: float | None = None,
        best: tuple[float, int] | None = None,
    ) -> None:
        now = self._clock()
        value, epoch = best or (None, None)
        order = connection.execute(sql.NEXT_ORDER, {"sweep": self.sweep}).scalar_one()
        closed = {"outcome": outcome, "reason": clean(reason), "best_value": value, "best_epoch": epoch, "epochs": epochs}
        closed |= {"seconds": None if started is None else max(0.0, now - started), "ended": now, "closed_order": order}
        connection.execute(sql.CLOSE_TRIAL, {"key": self.sweep, "of": number, **closed})
        self._end(connection, number, AttemptResult.ENDED)
        connection.execute(sql.CUT_REPORTS, {**self._key(number), "last": epochs})

    def _end(self, connection: sa.Connection, number: int, result: AttemptResult) -> None:
        connection.execute(sql.END_ATTEMPT, {"key": self.sweep, "of": number, "result": result, "ended": self._clock()})

    def _key(self, number: int) -> dict[str, Any]:
        return {"sweep": self.sweep, "number": number}

    def _trial(self, trial: Trial, now: float) -> dict[str, Any]:
        place = {"block": trial.block, "sibling": trial.sibling, "seed": trial.seed, "shape": trial.shape}
        return {
            **self._key(trial.number),
            **place,
            "epochs": 0,
            "created": now,
            "sampled": encode(trial.values),
            "config": encode(trial.config),
        }

    def _report(self, entry: Entry) -> dict[str, Any]:
        report = entry.report
        ended = None if report.ended is None else clean(report.ended)
        text = encode(report.metrics)
        return {**self._key(report.trial), "epoch": report.epoch, "token": entry.token, "at": report.at, "ended": ended, "metrics": text}
