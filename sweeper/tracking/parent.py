"""A sweep as a run of the tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sweeper.config.files import flat, tree_of
from sweeper.config.space import Space
from sweeper.ledger.records import RangeRecord, SweepRecord, SweepState, TrialRecord
from sweeper.tracking.child import people_tags, sweep_id
from sweeper.tracking.picture import SWEEP_ID, Picture, Point, Status, cut, milliseconds, texts
from sweeper.tracking.ranges import Ranges, ranges_of
from sweeper.tracking.words import number
from sweeper.trial import Outcome

OVER = frozenset({SweepState.COMPLETE, SweepState.CANCELLED, SweepState.BROKEN})
"""States in which nothing more is trained."""


def experiment_of(sweep: SweepRecord, space: Space) -> str:
    """The experiment that the sweep's runs belong to: the space's name."""
    return str(sweep.facts.get("experiment", space.name))


def parent_picture(sweep: SweepRecord, space: Space, closed: Sequence[TrialRecord], tests: Sequence[RangeRecord] = ()) -> Picture:
    """The run of a sweep as it is now.

    Args:
        sweep: the sweep.
        space: what it searches.
        closed: its closed trials, in the order of closing.
        tests: its range tests.
    """
    ranges = ranges_of(space, tests, closed)
    best = best_of(sweep, closed)
    facts = sweep.facts
    tags = {
        **people_tags(facts, f"sweeper sweep {space.name} --name {sweep.name}"),
        SWEEP_ID: sweep_id(sweep),
        "sweep": sweep.name,
        "stage": "search",
        "state": sweep.state.value,
        "metric": sweep.metric.value,
        "target": str(sweep.target),
        "space.fingerprint": sweep.fingerprint,
        # Tags and not params, which could not be changed: a sweep may be gone on with elsewhere.
        **texts(flat({"resources": tree_of(space.base)["resources"]})),
        **_fact_tags(facts),
        **_range_tags(ranges),
    }
    if sweep.owner is not None:
        tags |= {"driver": f"{sweep.owner.host}:{sweep.owner.pid}"}
    if best is not None:
        tags |= {"winner": f"{sweep.name}/{best.number}"}
    over = sweep.state in OVER
    if over:
        counts = {f"trials.{outcome}": str(sum(record.outcome is outcome for record in closed)) for outcome in Outcome}
        tags |= {"mlflow.note.content": _note(sweep, closed, best, ranges), **counts}
    return Picture(
        identity=sweep_id(sweep),
        name=sweep.name,
        status=_status(sweep, best),
        start_ms=milliseconds(sweep.created),
        end_ms=milliseconds(sweep.ended) if over and sweep.ended is not None else None,
        tags=tags,
        # The baseline goes with what was fixed before the search: among the metrics its bars would come before every curve.
        params=texts({**space.identity(), **{f"baseline.{key}": value for key, value in _finite(facts.get("baseline", {})).items()}}),
        points=(*progress_points(sweep, closed), *(_last_points(sweep, len(closed), ranges) if over else ())),
    )


def best_of(sweep: SweepRecord, closed: Sequence[TrialRecord]) -> TrialRecord | None:
    """The complete trial with the best value; of equal ones the lowest number."""
    complete = [record for record in closed if record.outcome is Outcome.COMPLETE and record.best_value is not None]
    return min(complete, key=lambda record: (-sweep.metric.gain(record.best_value or 0.0, over=0.0), record.number), default=None)


def progress_points(sweep: SweepRecord, closed: Sequence[TrialRecord]) -> list[Point]:
    """``trials_done`` and the best value so far, after each closed trial."""
    points: list[Point] = []
    best: float | None = None
    for done, record in enumerate(closed, start=1):
        at_ms = milliseconds(sweep.created if record.ended is None else record.ended)
        points.append(Point("trials_done", float(done), at_ms, done))
        value = record.best_value
        if record.outcome is Outcome.COMPLETE and value is not None and (best is None or sweep.metric.better(value, best)):
            best = value
        if best is not None:
            points.append(Point(f"best_{sweep.metric}", best, at_ms, done))
    return points


def _last_points(sweep: SweepRecord, step: int, ranges: Ranges | None) -> list[Point]:
    """The winner's result on the test part, and what range tests cost."""
    at_ms = milliseconds(sweep.created if sweep.ended is None else sweep.ended)
    test = _finite(sweep.facts.get("test", {}).get("metrics", {}))
    cost = {} if ranges is None else {"lr_range_tests": float(ranges.made), "lr_range_steps": float(ranges.steps)}
    cost |= {} if ranges is None else {"lr_range_seconds": ranges.seconds}
    tested = {f"test_{key.removeprefix('test_')}": value for key, value in test.items()}
    return [Point(key, value, at_ms, step) for key, value in {**tested, **cost}.items()]


def _range_tags(ranges: Ranges | None) -> dict[str, str]:
    """What range tests cost, and what became of the brackets."""
    if ranges is None:
        return {}
    tags = {"lr_range": ranges.cost()}
    tags |= {f"lr_range.{one.record.digest}": cut(f"{one.shape}: {one.bracket.sentence}") for one in ranges.tests}
    return tags | ({"lr_range.widened": cut("; ".join(ranges.widened))} if ranges.widened else {})


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    numbers = {key: float(value) for key, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    return {key: value for key, value in numbers.items() if math.isfinite(value)}


def _status(sweep: SweepRecord, best: TrialRecord | None) -> Status:
    if sweep.state not in OVER:
        return Status.RUNNING
    if sweep.state is SweepState.CANCELLED:
        return Status.KILLED
    return Status.FINISHED if sweep.state is SweepState.COMPLETE and best is not None else Status.FAILED


def _fact_tags(facts: Mapping[str, Any]) -> dict[str, str]:
    versions = {f"version.{name}": value for name, value in facts.get("versions", {}).items()}
    plain = {key: value for key, value in facts.items() if isinstance(value, str | int | float | bool)}
    baseline = facts.get("baseline", {}).get("name")
    return texts({**versions, **plain, **({"baseline": baseline} if baseline else {})})


def _note(sweep: SweepRecord, closed: Sequence[TrialRecord], best: TrialRecord | None, ranges: Ranges | None) -> str:
    """What MLflow's UI shows as the run's description."""
    done = f"{len(closed)} trials, {sum(record.outcome is Outcome.COMPLETE for record in closed)} complete."
    searched = [] if ranges is None else [f"Learning rates: {ranges.cost()}.", "\n".join(f"- {line}" for line in ranges.lines())]
    if best is None:
        return "\n\n".join([f"{done} No winner: no trial is complete.", *searched])
    lines = [f"Winner: **{sweep.name}/{best.number}**, {sweep.metric} {number(best.best_value)} at epoch {best.best_epoch}. {done}"]
    baseline = sweep.facts.get("baseline", {})
    if sweep.metric in baseline:
        lines.append(f"Baseline ({baseline['name']}): {sweep.metric} {number(baseline[sweep.metric])}.")
    if test := _finite(sweep.facts.get("test", {}).get("metrics", {})):
        touches = sweep.facts["test"].get("touches", 1)
        shown = ", ".join(f"{key.removeprefix('test_')} {number(value)}" for key, value in test.items())
        lines.append(f"Test part (touched {'once' if touches == 1 else f'{touches} times'}): {shown}.")
    return "\n\n".join([*lines, *searched])
