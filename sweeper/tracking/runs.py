"""Single jobs as runs of the tracker: a learning-rate range test, a production training.

They tell a tracker that is down by a sentence, never by an error: the job itself has succeeded.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from sweeper.tracking.child import people_tags
from sweeper.tracking.picture import Picture, Point, Status, milliseconds, points_of, texts
from sweeper.tracking.words import told
from sweeper.trial import Report


def log_lr_range(
    tracking_uri: str,
    artifacts_root: Path,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, Any],
    lrs: Sequence[float],
    losses: Sequence[Sequence[float]],
    files: Sequence[Path],
) -> str | None:
    """Record a range test: ``lr``, ``loss_seed_<i>`` and their median ``loss`` by step (stage ``lr_range``).

    Args:
        tracking_uri: MLflow's.
        artifacts_root: where the artifacts of stores without a server go.
        experiment: its name.
        name: the run's.
        params: the tested config, flat.
        tags: what else to note.
        lrs: learning rate of each step, [steps].
        losses: training loss per seed and step, [seeds, steps]; nan after a seed diverged.
        files: figure and result, stored beside the run.

    Returns:
        None, or why MLflow does not have it.
    """
    now = milliseconds(time.time())
    points = []
    for step, lr in enumerate(lrs):
        points.append(Point("lr", lr, now, step))
        column = [seed[step] for seed in losses]
        points += [Point(f"loss_seed_{seed}", loss, now, step) for seed, loss in enumerate(column) if math.isfinite(loss)]
        if all(map(math.isfinite, column)):
            points.append(Point("loss", median(column), now, step))
    picture = _job(name=name, stage="lr_range", params=params, tags=tags, points=points, start_ms=now)
    return _record(tracking_uri, artifacts_root, experiment, picture, files)


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
