"""One trial as the ledger knows it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sweeper.trial import Metric, Outcome, Report, Trial


class Record(Protocol):
    """What a study wants to know of a trial; the ledger's own records will do."""

    @property
    def trial(self) -> Trial:
        """As it was numbered."""

    @property
    def reports(self) -> tuple[Report, ...]:
        """Of the latest attempt, in order of epoch."""

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None: it is open."""


@dataclass(frozen=True)
class Past:
    """A numbered trial, the reports of its latest attempt in order of epoch, and how it ended (None: it is open)."""

    trial: Trial
    reports: tuple[Report, ...]
    outcome: Outcome | None


def finite_points(reports: Iterable[Report], metric: Metric) -> dict[int, float]:
    """Epoch to value of ``metric``, for the reports in which everything is finite."""
    return {report.epoch: report.metrics[metric] for report in reports if report.finite() and math.isfinite(report.metrics[metric])}
