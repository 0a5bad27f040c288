"""A trial as a run of the tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweeper.config.files import flat
from sweeper.config.yaml_dump import dump
from sweeper.core.diagnose import WATCHED, Diagnosis, Reference, diagnose
from sweeper.ledger.records import SweepRecord, TrialRecord
from sweeper.tracking.picture import STATUS_OF, SWEEP_ID, Picture, Point, Status, cut, milliseconds, non_finite, points_of, texts
from sweeper.trial import Outcome, Report

_OF_THE_SWEEP = ("search.", "resources.", "forbid", "provenance")
"""Keys that say how the sweep was run, not what the trial is: they are params of the parent run."""


LOOKS = 8
"""The tracker shows the monitor's numbers of a trial at most so many times, and of its first epoch."""


def sweep_id(sweep: SweepRecord) -> str:
    """The sweep's identity in the tracker: its name and when it was created."""
    return f"{sweep.name}-{milliseconds(sweep.created)}"


def trial_id(sweep: SweepRecord, number: int) -> str:
    """The idempotency key of a trial's run."""
    return f"{sweep_id(sweep)}/{number}"


def people_tags(facts: Mapping[str, Any], command: str) -> dict[str, str]:
    """Who ran which code: the tags that MLflow's UI has columns for."""
    known = {"mlflow.user": facts.get("user"), "mlflow.source.git.commit": facts.get("git_commit")}
    return {"mlflow.source.name": command, "mlflow.source.type": "LOCAL", **texts({key: value for key, value in known.items() if value})}


def diagnosis_of(sweep: SweepRecord, record: TrialRecord, reports: Sequence[Report]) -> Diagnosis | None:
    """What was wrong with a trial that has ended; None where there is nothing to judge."""
    if record.outcome is None:
        return None
    config = record.trial.config
    reference = Reference.of(config.get("task", "classification"), sweep.facts.get("data", {}), sweep.facts.get("baseline"))
    return diagnose(reports, config, record.outcome, reference)


def child_picture(sweep: SweepRecord, record: TrialRecord, reports: Sequence[Report], parent: str) -> Picture:
    """The run of a trial as it is now.

    Args:
        sweep: the trial's.
        record: the trial.
        reports: all of them, in order of epoch.
        parent: run id of the sweep's run.
    """
    tags = {
        **people_tags(sweep.facts, "sweeper sweep"),
        "mlflow.parentRunId": parent,
        SWEEP_ID: sweep_id(sweep),
        "sweep": sweep.name,
        "trial": str(record.number),
        "stage": "search",
        "shape": record.trial.shape,
    }
    if record.how is not None:
        tags["engine"] = cut(record.how)
    if (gone := non_finite(reports)) != "":
        tags["non_finite"] = cut(gone)
    points = _thinned(points_of(reports), record.trial.config)
    params = {key: value for key, value in flat(record.trial.config).items() if not key.startswith(_OF_THE_SWEEP)}
    status, end_ms = Status.RUNNING, None
    if record.outcome is not None:
        status = STATUS_OF[record.outcome]
        end_ms = milliseconds(sweep.created if record.ended is None else record.ended)
        tags |= {"outcome": record.outcome.value, "reason": cut(record.reason or "")}
        if (found := diagnosis_of(sweep, record, reports)) is not None:
            tags |= {"diagnosis": found.tag.value, "diagnosis.why": cut(found.sentence)}
        if record.outcome is Outcome.COMPLETE:
            points += _best_points(record, reports)
    return Picture(
        identity=trial_id(sweep, record.number),
        name=f"{sweep.name}/{record.number}",
        status=status,
        start_ms=milliseconds(record.created if record.started is None else record.started),
        end_ms=end_ms,
        tags=tags,
        params=texts(params),
        points=points,
        texts={"config.yaml": dump(record.trial.config)},
    )


def _thinned(points: tuple[Point, ...], config: Mapping[str, Any]) -> tuple[Point, ...]:
    """Of the monitor's numbers only those of some epochs: a sweep's tracker would have to write half as much again otherwise."""
    every = -(-config["training"]["epochs"] // LOOKS)
    return tuple(point for point in points if not point.key.startswith(WATCHED) or point.step == 1 or point.step % every == 0)


def _best_points(record: TrialRecord, reports: Sequence[Report]) -> tuple[Point, ...]:
    """The validation metrics at the best epoch once more, as ``best_...``, so that a list of runs sorted by them begins with the winner."""
    for report in reports:
        if report.epoch == record.best_epoch:
            at_ms = milliseconds(report.at)
            best = [
                Point(f"best_{point.key}", point.value, at_ms, point.step) for point in points_of([report]) if point.key.startswith("val_")
            ]
            return (*best, Point("best_epoch", float(report.epoch), at_ms, report.epoch))
    return ()
