"""Single jobs as runs of the tracker: a learning-rate range test, a production training.

They tell a tracker that is down by a sentence, never by an error: the job itself has succeeded.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sweeper.tracking.child import people_tags
from sweeper.tracking.picture import Picture, Point, Status, milliseconds, points_of, texts
from sweeper.tracking.words import told
from sweeper.trial import Report

LINKED = ("status", "suggestion", "bracket")
"""Tags of a range test that the sweep's run shows, too."""


@dataclass(frozen=True)
class RangeTestRun:
    """A range test as the tracker sees it.

    Attributes:
        name: of its run.
        params: the tested config, flat.
        tags: what else to note, such as ``status`` and ``suggestion``.
        lrs: learning rate of each step, [steps].
        losses: training loss per seed and step, [seeds, steps]; nan after a seed diverged.
        smoothed: the curve that was judged, [steps] or fewer.
        probe_lrs: constant rates of the second stage, [arms]; empty without one.
        probe_losses: what training with each ended at, [seeds, arms]; nan where it broke.
    """

    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, Any]
    lrs: Sequence[float] = ()
    losses: Sequence[Sequence[float]] = ()
    smoothed: Sequence[float] = ()
    probe_lrs: Sequence[float] = ()
    probe_losses: Sequence[Sequence[float]] = ()

    def points(self, at_ms: int) -> list[Point]:
        """``lr``, ``loss_seed_<i>``, their median ``loss`` and ``loss_smoothed`` by step; ``probe_lr`` and ``probe_loss...`` by rate."""
        found = [*_columns("lr", "loss", self.lrs, self.losses, at_ms)]
        found += [Point("loss_smoothed", loss, at_ms, step) for step, loss in enumerate(self.smoothed)]
        return [*found, *_columns("probe_lr", "probe_loss", self.probe_lrs, self.probe_losses, at_ms)]


def log_lr_range(
    tracking_uri: str,
    artifacts_root: Path,
    *,
    experiment: str,
    tests: Sequence[RangeTestRun],
    whole: RangeTestRun,
    files: Sequence[Path],
    sweep_run: str | None,
) -> str | None:
    """Record range tests (stage ``lr_range``): one as a run, several as the runs below one.

    Args:
        tracking_uri: MLflow's.
        artifacts_root: where the artifacts of stores without a server go.
        experiment: its name.
        tests: of several, each; else empty.
        whole: the only test; or what several have in common, without a curve.
        files: figure and result, stored beside the run.
        sweep_run: run id of the sweep of this space, if there is one: it is this run's parent, and gets a tag
            ``lr_range.run``, or ``lr_range.variants`` of several.

    Returns:
        None, or why MLflow does not have it.
    """
    from sweeper.tracking.mlflow import TRACKER_ERRORS, Tracker

    try:
        tracker = Tracker(tracking_uri, artifacts_root)
        place = tracker.experiment(experiment)
        parent = sweep_run if sweep_run is not None and tracker.has_run(sweep_run) else None
        run = tracker.write_job(place, _range_picture(whole, parent), files)
        for test in tests:
            tracker.write_job(place, _range_picture(test, run), ())
        if parent is not None:
            found = {f"lr_range.{key}": text for key, text in texts(whole.tags).items() if key in LINKED}
            tracker.tag(parent, {"lr_range.variants": run} if tests else {"lr_range.run": run, **found})
    except TRACKER_ERRORS as error:
        return told(error)
    return None


def _range_picture(test: RangeTestRun, parent: str | None) -> Picture:
    now = milliseconds(time.time())
    tags = {**test.tags, **({} if parent is None else {"mlflow.parentRunId": parent})}
    return _job(name=test.name, stage="lr_range", params=test.params, tags=tags, points=test.points(now), start_ms=now)


def _columns(rate: str, name: str, lrs: Sequence[float], losses: Sequence[Sequence[float]], at_ms: int) -> Iterator[Point]:
    for step, lr in enumerate(lrs):
        yield Point(rate, lr, at_ms, step)
        column = [seed[step] for seed in losses]
        yield from (Point(f"{name}_seed_{seed}", loss, at_ms, step) for seed, loss in enumerate(column) if math.isfinite(loss))
        if all(map(math.isfinite, column)):
            yield Point(name, median(column), at_ms, step)


def log_training(
    tracking_uri: str,
    artifacts_root: Path,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, Any],
    reports: Sequence[Report],
    files: Sequence[Path],
    metrics: Mapping[str, float] | None = None,
) -> str | None:
    """Record a production training: its metrics per epoch (stage ``train``).

    Args:
        tracking_uri: MLflow's.
        artifacts_root: where the artifacts of stores without a server go.
        experiment: its name.
        name: the run's.
        params: the config, flat.
        tags: what else to note.
        reports: in order of epoch.
        files: such as the model's.
        metrics: further results, such as ``test_accuracy``.

    Returns:
        None, or why MLflow does not have it.
    """
    now = milliseconds(time.time())
    start = milliseconds(reports[0].at - reports[0].metrics.get("seconds", 0.0)) if reports else now
    step = reports[-1].epoch if reports else 0
    further = [Point(key, value, now, step) for key, value in (metrics or {}).items() if math.isfinite(value)]
    picture = _job(name=name, stage="train", params=params, tags=tags, points=[*points_of(reports), *further], start_ms=start)
    return _record(tracking_uri, artifacts_root, experiment, picture, files)


def _job(*, name: str, stage: str, params: Mapping[str, Any], tags: Mapping[str, Any], points: Sequence[Point], start_ms: int) -> Picture:
    return Picture(
        identity=f"{stage}-{uuid.uuid4().hex}",
        name=name,
        status=Status.FINISHED,
        start_ms=start_ms,
        end_ms=milliseconds(time.time()),
        tags=texts({**people_tags(tags, f"sweeper {stage.replace('_', '-')}"), **tags, "stage": stage}),
        params=texts(params),
        points=tuple(points),
    )


def _record(uri: str, artifacts_root: Path, experiment: str, picture: Picture, files: Sequence[Path]) -> str | None:
    from sweeper.tracking.mlflow import TRACKER_ERRORS, Tracker

    try:
        tracker = Tracker(uri, artifacts_root)
        tracker.write_job(tracker.experiment(experiment), picture, files)
    except TRACKER_ERRORS as error:
        return told(error)
    return None
