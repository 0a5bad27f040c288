"""One sweep on its way from the ledger to a tracker: what to send next, and what to note as sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.config.space import Space
from sweeper.ledger.records import Mark, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.tracking.child import child_picture, sweep_id, trial_id
from sweeper.tracking.finale import last_files, last_tags
from sweeper.tracking.parent import OVER, experiment_of, parent_picture
from sweeper.tracking.picture import KnownRun, Picture

if TYPE_CHECKING:
    from sweeper.tracking.mlflow import Tracker

_CHUNK = 50
"""Trials that are read and marked together."""


def _by_end(record: TrialRecord) -> tuple[bool, int, int]:
    return (record.closed_order is None, record.closed_order or 0, record.number)


def lacking(ledger: Ledger, name: str) -> int:
    """How many records the tracker lacks: trials, and the sweep itself when its end was not told."""
    record = ledger.known(name)
    untold = record.state in OVER and ledger.tracked_sweep(name).state is not record.state
    return ledger.count_pending(name) + untold


class Mirroring:
    """What one writer knows of one sweep's runs. It looks them up once, at its beginning, and is given up at the first error.

    Raises:
        TRACKER_ERRORS: from every method, when the tracker is down.
    """

    def __init__(self, ledger: Ledger, tracker: Tracker, name: str, files: Callable[[str], Iterable[Path]]) -> None:
        self._ledger = ledger
        self._tracker = tracker
        self._files = files
        self._sweep = ledger.known(name)
        self._space = Space.parse(self._sweep.space, name)
        self._experiment = tracker.experiment(experiment_of(self._sweep, self._space))
        self._known = tracker.runs(self._experiment, sweep_id(self._sweep))
        self._closed: dict[int, TrialRecord] = {}
        self._missing: list[TrialRecord] = []
        self._drawn: Picture | None = None
        for record in ledger.trials(name):
            if self._remember(record) and trial_id(self._sweep, record.number) not in self._known:
                self._missing.append(record)  # also those that were mirrored to another tracker, or to one that was lost
        self._missing.sort(key=_by_end)

    def current(self) -> bool:
        """Whether the sweep of this name is still the same one."""
        record = self._ledger.sweep(self._sweep.name)
        return record is None or record.created == self._sweep.created

    def bring(self, deadline: float, patience_s: float) -> None:
        """Send what is missing, trials first, until ``deadline`` (of ``time.monotonic()``)."""
        self._sweep = self._ledger.known(self._sweep.name)
        parent = self._known.get(sweep_id(self._sweep)) or self._send_sweep()
        while time.monotonic() < deadline and self._send_some(parent.run_id, deadline, patience_s):
            pass
        parent = self._send_sweep()
        if self._sweep.state not in OVER:
            if self._ledger.tracked_sweep(self._sweep.name).state is not self._sweep.state:
                self._ledger.mark_sweep(self._sweep.name, run_id=parent.run_id, state=self._sweep.state)
        elif self._ledger.count_pending(self._sweep.name) == 0:
            self._end(parent)

    def _remember(self, record: TrialRecord) -> bool:
        if record.closed_order is None:
            return False
        self._closed[record.closed_order] = record
        return True

    def _send_some(self, parent: str, deadline: float, patience_s: float) -> bool:
        """Send a chunk of trials; False when there was none."""
        old_enough = time.time() - patience_s
        waiting = self._missing or [item.record for item in self._ledger.pending(self._sweep.name)]
        due = [record for record in waiting if record.outcome is not None or (record.started or record.created) <= old_enough]
        due.sort(key=_by_end)
        chunk = [(record, *self._draw(record, parent)) for record in due[:_CHUNK]]
        marks: list[Mark] = []
        try:
            self._tracker.write_whole(self._experiment, [picture for _, picture, _ in chunk], self._known)
            for record, picture, epoch in chunk:
                if time.monotonic() > deadline:
                    break
                run = self._tracker.write_trial(self._experiment, picture, self._known)
                self._remember(record)
                marks.append(Mark(record.number, run.run_id, epoch, record.outcome))
        finally:
            self._ledger.mark_many(self._sweep.name, marks)
        self._missing = self._missing[len(marks) :]
        return bool(marks)

    def _draw(self, record: TrialRecord, parent: str) -> tuple[Picture, int | None]:
        """A trial's run, and its last epoch."""
        reports = self._ledger.reports(self._sweep.name, record.number)
        return child_picture(self._sweep, record, reports, parent), reports[-1].epoch if reports else None

    def _send_sweep(self) -> KnownRun:
        picture = self._picture()
        known = self._known.get(picture.identity)
        if known is not None and (picture == self._drawn or known.final == str(picture.end_ms)):
            return known
        run = self._tracker.write_sweep(self._experiment, picture, self._known)
        self._drawn = picture
        return run

    def _end(self, run: KnownRun) -> None:
        picture = self._picture()
        if run.final != str(picture.end_ms):
            name = self._sweep.name
            content = last_files(name, self._space, self._ledger.past(name), self._files(name), self._sweep.facts.get("data"))
            self._tracker.end_sweep(run, picture, content, last_tags())
        self._ledger.mark_sweep(self._sweep.name, run_id=run.run_id, state=self._sweep.state)

    def _picture(self) -> Picture:
        closed = [self._closed[order] for order in sorted(self._closed)]
        return parent_picture(self._sweep, self._space, closed, self._ledger.range_tests(self._sweep.name))
