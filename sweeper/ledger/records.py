"""What goes into the ledger and what comes out of it: frozen, plain, free of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sweeper.ledger.owner import Owner
from sweeper.trial import Metric, Outcome, RangeFinding, Report, Trial, Verdict


class SweepState(StrEnum):
    """Where a sweep is in its life.

    ``open`` can be resumed; ``cancelling`` was asked to stop; ``complete`` and ``cancelled`` are over;
    ``broken`` was given up because its code, not its configs, is at fault: it can be opened again.
    """

    OPEN = "open"
    COMPLETE = "complete"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    BROKEN = "broken"


class AttemptResult(StrEnum):
    """How an attempt ended: with its trial, by the loss of its worker, or by the loss of the sweep's driver."""

    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Live:
    """A live attempt: its fencing token and the worker that has it."""

    token: int
    worker: str


@dataclass(frozen=True, slots=True)
class NewSweep:
    """A sweep to be created.

    Attributes:
        name: unique in the ledger.
        space: the space's YAML after ``--set``.
        fingerprint: of the space's identity.
        metric: decides which trial is best.
        target: how many trials it shall have.
        facts: whatever is known at the start (data hash, versions, git commit).
    """

    name: str
    space: str
    fingerprint: str
    metric: Metric
    target: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """A sweep as the ledger knows it; times are unix seconds.

    Attributes:
        epoch: the current owner epoch; a writer of another epoch is refused.
        owner: who drives it; None when nobody does. Whether that process still lives is another question.
    """

    name: str
    space: str
    fingerprint: str
    metric: Metric
    target: int
    state: SweepState
    epoch: int
    owner: Owner | None
    created: float
    ended: float | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the ledger knows it; times are unix seconds.

    Attributes:
        outcome: None while it is open.
        reason: the sentence of its closing verdict.
        best_value: of the sweep's metric, over its epochs; None when there was none, or it failed.
        best_epoch: the first epoch with that value, 1-based.
        epochs: how many it was trained for; 0 while it is open.
        seconds: from the start of the closing attempt to the closing.
        closed_order: 1-based position among the sweep's closed trials.
        started: when its latest attempt started; None for a trial that was only numbered yet.
        how: how that attempt is trained, in a sentence; None before its first report.
    """

    trial: Trial
    outcome: Outcome | None
    reason: str | None
    best_value: float | None
    best_epoch: int | None
    epochs: int
    seconds: float | None
    created: float
    ended: float | None
    closed_order: int | None
    started: float | None
    how: str | None

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.trial.number


@dataclass(frozen=True, slots=True)
class Counts:
    """How many trials are where. ``open`` includes ``running`` (those with a live attempt)."""

    open: int
    running: int
    complete: int
    pruned: int
    diverged: int
    failed: int
    cancelled: int
    numbered: int
    target: int

    @property
    def closed(self) -> int:
        """Trials with an outcome."""
        return self.numbered - self.open

    @property
    def unfinished(self) -> bool:
        """Whether a trial is open, or not numbered yet."""
        return self.open > 0 or self.numbered < self.target


@dataclass(frozen=True, slots=True)
class Entry:
    """One report on its way into the ledger.

    Attributes:
        token: fencing number of the attempt that reports.
        report: what was found.
        verdict: what was decided; a Stop closes the trial; None where nobody was asked.
        best: (value, epoch) of the sweep's metric so far; written when the trial closes; the value is finite.
    """

    token: int
    report: Report
    verdict: Verdict | None = None
    best: tuple[float, int] | None = None


@dataclass(frozen=True, slots=True)
class PastTrial:
    """One trial with its history, as a study needs it to be rebuilt.

    Attributes:
        reports: in order of epoch; for an open trial only those of its live attempt, since every other starts from zero.
        outcome: None while it is open.
    """

    trial: Trial
    reports: tuple[Report, ...]
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class RangeRecord:
    """A range test of a sweep.

    Attributes:
        digest: of the test.
        finding: what it found; a cached one cost this sweep nothing, and says so by its steps and seconds.
        cached: it was made for another sweep.
        at: unix time.
    """

    digest: str
    finding: RangeFinding
    cached: bool
    at: float


@dataclass(frozen=True, slots=True)
class Pending:
    """A trial that the tracker has not fully mirrored.

    Attributes:
        run_id: the tracker's run, once it has told.
        from_epoch: the first epoch whose report is not mirrored.
    """

    record: TrialRecord
    run_id: str | None
    from_epoch: int


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the tracker has mirrored a trial; a field that is None stays as it was."""

    number: int
    run_id: str | None = None
    epoch: int | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class TrackedSweep:
    """How far the tracker has mirrored the sweep itself: its run, and the last state that was told."""

    run_id: str | None
    state: SweepState | None
