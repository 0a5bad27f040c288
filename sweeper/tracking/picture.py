"""What a tracked run looks like: plain data, made from the ledger by pure functions, so that the writer only copies it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sweeper.core.diagnose import WATCHED
from sweeper.trial import Outcome, Report

IDENTITY = "sweeper.id"
"""Tag: the idempotency key; one live run of a store carries it."""
SWEEP_ID = "sweeper.sweep_id"
"""Tag: the sweep's identity, which a removed and started-again sweep of the same name does not share."""
POINTS = "sweeper.points"
"""Tag: digest of the points that were or are about to be sent."""
FINAL = "sweeper.final"
"""Tag of a sweep's run: the end, in milliseconds, for which the last artifacts were stored."""

_LONGEST_TEXT = 4000
_NO_POINTS = "0:"


class Status(StrEnum):
    """MLflow's run states."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


STATUS_OF: Mapping[Outcome, Status] = {
    Outcome.COMPLETE: Status.FINISHED,
    Outcome.PRUNED: Status.FINISHED,
    Outcome.DIVERGED: Status.FAILED,
    Outcome.FAILED: Status.FAILED,
    Outcome.CANCELLED: Status.KILLED,
}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric.

    Attributes:
        at_ms: unix time in milliseconds, fixed by the ledger: the same point sent twice is stored once.
        step: the epoch for a trial, closed trials for a sweep.
    """

    key: str
    value: float
    at_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One run as it should be in the tracker.

    Attributes:
        identity: the idempotency key.
        points: finite values only, in the order in which they are sent.
        texts: small artifacts by file name.
    """

    identity: str
    name: str
    status: Status
    start_ms: int
    end_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class KnownRun:
    """A run that the tracker holds, as far as its writer must know it.

    Attributes:
        points: digest of those points that may have been sent of a trial.
        final: see ``FINAL``.
        sent: points that this process has sent.
    """

    run_id: str
    artifact_uri: str
    status: Status
    points: str = _NO_POINTS
    final: str = ""
    sent: set[Point] = field(default_factory=set)

    @classmethod
    def tagged(cls, run_id: str, artifact_uri: str, status: str, tags: Mapping[str, str]) -> KnownRun:
        """A run that was found in the tracker."""
        return cls(run_id, artifact_uri, Status(status), tags.get(POINTS, _NO_POINTS), tags.get(FINAL, ""))


def milliseconds(at: float) -> int:
    """Unix seconds as the tracker's whole milliseconds."""
    return round(at * 1000)


def points_of(reports: Iterable[Report]) -> tuple[Point, ...]:
    """Every finite value of every report, in order of epoch.

    MLflow stores nan as 0 with a flag and infinity as 1.797e308, which then sorts first: such values stay in the ledger.
    """
    return tuple(
        Point(key, float(value), milliseconds(report.at), report.epoch)
        for report in reports
        for key, value in report.metrics.items()
        if math.isfinite(value)
    )


def non_finite(reports: Iterable[Report]) -> str:
    """Which metrics were not finite, and from which epoch on: "train_loss from epoch 3, val_loss from epoch 3"; else empty."""
    first: dict[str, int] = {}
    for report in reports:
        for key, value in report.metrics.items():
            if not math.isfinite(value) and not key.startswith(WATCHED):
                first.setdefault(key, report.epoch)
    return ", ".join(f"{key} from epoch {epoch}" for key, epoch in first.items())


def digest(points: Sequence[Point]) -> str:
    """How many points, and a hash of every bit of them: ``"140:3f0c..."``."""
    text = "\n".join(f"{point.key} {point.value.hex()} {point.at_ms} {point.step}" for point in points)
    return f"{len(points)}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def continues(points: Sequence[Point], sent: str) -> bool:
    """Whether ``points`` begins with those that the digest ``sent`` was made of."""
    count = int(sent.partition(":")[0])
    return count == 0 or (len(points) >= count and digest(points[:count]) == sent)


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Params or tags as the tracker's strings, spelled as in YAML; overlong ones are cut."""
    return {key: cut(json.dumps(value) if value is None or isinstance(value, bool) else str(value)) for key, value in values.items()}


def cut(text: str) -> str:
    """The text, or its head when it is longer than every tracker takes."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 4] + " ..."
