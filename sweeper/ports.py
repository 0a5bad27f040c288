"""Protocols between the rooms that work (core, search, ledger) and those that run and show them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from sweeper.trial import Command, Lease, RangeFinding, RangeTest, Report, Trial, Verdict


class Desk(Protocol):
    """Where workers get trials and bring results; every call is in the ledger when it returns."""

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """Open trials of one shape for this worker; None when there is nothing for it to do (now).

        A range test is to be made first, and told to ``tested``; then the worker asks again.

        Args:
            worker: its name.
            lanes: at most how many trials.
            beside: None: a fresh lease; what the worker still seemed to hold was lost on the way to it and is released.
                A trial that the worker trains or has just ended: further ones of its shape, beside what the worker holds.
        """

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """A range test was made; of several findings of one test the first counts."""

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """Record reports (any number per trial, in order of epoch), with one token and one verdict per report.

        Raises:
            StaleWriterError: the sweep or one of the trials is no longer this writer's.
        """

    def exchange(self, worker: str, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], Lease | RangeTest | None]:
        """``report`` of the one trial that the worker holds and, where a verdict ends that, ``lease(worker, 1)``: one call in place of two.

        Raises what these two raise; what was reported is recorded then if it was the lease that failed.
        """

    def fail(self, token: int, trial: int, reason: str) -> None:
        """Close the trial as failed: its code raised."""

    def release(self, worker: str) -> None:
        """The worker is gone: its trials are open again (or failed, after too many lost attempts)."""

    def open(self) -> bool:
        """Whether any trial is still to be trained to its end."""


class Train(Protocol):
    """Trains a stack of trials of one shape: yields reports, receives one command per report."""

    def lanes(self, trial: Trial, most: int) -> int:
        """How many trials of this one's shape are worth training side by side, at most so many; 1: one after another is faster.

        Raises what training the trial would raise.
        """

    def range_test(self, test: RangeTest) -> RangeFinding:
        """Make a learning-rate range test. Raises what training the config would raise."""

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """The generator; a lane that was stopped reports no more."""
