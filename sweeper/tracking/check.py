"""The invariants between the ledger and the tracker: runs and trials one to one, states and values equal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.config.space import Space
from sweeper.ledger.records import SweepRecord, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.tracking.child import child_picture, sweep_id, trial_id
from sweeper.tracking.parent import OVER, experiment_of
from sweeper.tracking.picture import IDENTITY, STATUS_OF, Point, cut
from sweeper.tracking.words import told

if TYPE_CHECKING:
    from sweeper.tracking.mlflow import Tracker


def mirror_violations(ledger: Ledger, tracking_uri: str, artifacts_root: Path, sweep: str, histories: int = 64) -> list[str]:
    """What the tracker says otherwise than the ledger, a sentence each; nothing is written or created.

    Of a sweep that is not over, trials that wait to be mirrored are left out.

    Args:
        ledger: the truth.
        tracking_uri: MLflow's.
        artifacts_root: where the artifacts of stores without a server go.
        sweep: its name.
        histories: of how many runs every single point is compared, spread over the sweep; of the others the last values.
    """
    record = ledger.known(sweep)
    if tracking_uri.startswith("sqlite:///") and not Path(tracking_uri.removeprefix("sqlite:///")).exists():
        return [f"{sweep}: there is no MLflow store, `sweeper sync {sweep}` makes it anew"]
    from sweeper.tracking.mlflow import TRACKER_ERRORS, Tracker

    try:
        return list(_violations(ledger, Tracker(tracking_uri, artifacts_root), record, histories))
    except TRACKER_ERRORS as error:
        return [f"{sweep}: MLflow cannot be read: {told(error)}"]


def _violations(ledger: Ledger, tracker: Tracker, sweep: SweepRecord, histories: int) -> Iterator[str]:
    experiment = tracker.find_experiment(experiment_of(sweep, Space.parse(sweep.space, sweep.name)))
    runs = [] if experiment is None else tracker.search(experiment, sweep_id(sweep))
    for identity, count in Counter(run.data.tags.get(IDENTITY, "no identity") for run in runs).items():
        if count > 1:
            yield f"{sweep.name}: {count} runs are tagged {identity}"
    found = {run.data.tags.get(IDENTITY): run for run in runs}
    over = sweep.state in OVER
    waiting = set() if over else {item.record.number for item in ledger.pending(sweep.name)}
    records = [record for record in ledger.trials(sweep.name) if record.number not in waiting and (over or record.outcome is not None)]
    parent = found.pop(sweep_id(sweep), None)
    if parent is None and (over or records):
        yield f"{sweep.name}: the sweep's own run is missing"
    if parent is not None and over and parent.info.status == "RUNNING":
        yield f"{sweep.name}: its run is RUNNING, the sweep is {sweep.state}"
    every = max(1, len(records) // histories)
    for index, record in enumerate(records):
        run = found.get(trial_id(sweep, record.number))
        if run is None:
            yield f"{sweep.name}/{record.number}: has no run"
        else:
            yield from _differences(ledger, tracker, sweep, record, run, whole=index % every == 0)
    known = {trial_id(sweep, record.number) for record in ledger.trials(sweep.name)}
    yield from (f"{sweep.name}: run {run.info.run_id} is of no trial" for identity, run in found.items() if identity not in known)


def _differences(ledger: Ledger, tracker: Tracker, sweep: SweepRecord, record: TrialRecord, run: Any, *, whole: bool) -> Iterator[str]:
    name = f"{sweep.name}/{record.number}"
    expected = "RUNNING" if record.outcome is None else STATUS_OF[record.outcome].value
    if run.info.status != expected:
        yield f"{name}: is {run.info.status} in MLflow, {record.outcome or 'open'} in the ledger"
    if record.outcome is not None and run.data.tags.get("outcome") != record.outcome.value:
        yield f"{name}: outcome {run.data.tags.get('outcome')} in MLflow, {record.outcome} in the ledger"
    if (engine := run.data.tags.get("engine")) != (record.how and cut(record.how)):
        yield f"{name}: trained {engine!r} in MLflow, {record.how!r} in the ledger"
    wanted: dict[str, list[Point]] = defaultdict(list)
    for point in child_picture(sweep, record, ledger.reports(sweep.name, record.number), "").points:
        wanted[point.key].append(point)
    if wanted.keys() != run.data.metrics.keys():
        yield f"{name}: metrics {', '.join(sorted(wanted.keys() ^ run.data.metrics.keys()))} are on one side only"
        return
    for key, points in wanted.items():
        if run.data.metrics[key] != points[-1].value:
            yield f"{name}: the last {key} is {run.data.metrics[key]!r} in MLflow, {points[-1].value!r} in the ledger"
        elif whole and (stored := tracker.history(run.info.run_id, key)) != points:
            yield f"{name}: {key} has {len(stored)} points in MLflow and {len(points)} in the ledger, or they differ"
