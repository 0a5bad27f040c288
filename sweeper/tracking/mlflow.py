"""The tracker: an MLflow store as the few calls that a mirror of the ledger needs. The only file that imports mlflow.

Importing it sets this process up for MLflow (short timeouts, no telemetry, quiet logs), so only a process that writes there should.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
# A repeated POST makes a second run: nothing is retried below us; the mirror looks first and then tries again.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A line per run on stdout, where the writer tells its driver how far it is.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.db.utils import _initialize_tables  # the client calls it on the file in place, where a kill breaks the file for ever

from sweeper.atomic import replace_bytes
from sweeper.ledger.store import Ledger
from sweeper.tracking.locks import locked
from sweeper.tracking.mirroring import Mirroring, lacking
from sweeper.tracking.parent import OVER
from sweeper.tracking.picture import FINAL, IDENTITY, POINTS, SWEEP_ID, KnownRun, Picture, Point, Status, continues, digest
from sweeper.tracking.whole_runs import WholeRuns
from sweeper.tracking.words import told, unsigned

for _noisy in ("mlflow", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)  # errors are raised as well, and told by us

TRACKER_ERRORS = (MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError)
"""What a call to the tracker may raise when it is down or refuses; the errors of requests are OSErrors."""

_LONGEST_TIMEOUT_S = 60


def _allow_more_time(error: Exception) -> None:
    """A server that answers, but slowly, gets twice as long at the next call, up to a minute; this process can wait."""
    if "timed out" in str(error).lower():
        longer = 2 * int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(min(longer, _LONGEST_TIMEOUT_S))


class Tracker:
    """One MLflow store; every method may raise ``TRACKER_ERRORS``.

    Args:
        uri: MLflow's tracking URI: ``sqlite:///...``, another database, or a server. A missing SQLite file is created.
        artifacts_root: where the artifacts of stores without a server go.
    """

    def __init__(self, uri: str, artifacts_root: Path) -> None:
        self._uri = uri
        self._artifacts_root = artifacts_root.absolute()
        self._whole: WholeRuns | None = None
        if not uri.startswith("sqlite:///"):
            self._client = MlflowClient(uri)
            return
        path = Path(uri.removeprefix("sqlite:///"))
        with locked(path.with_name(f"{path.name}.lock")):
            if not path.exists() or path.stat().st_size == 0:
                _create_sqlite(path)
            try:
                self._client = MlflowClient(uri)
                self._client.search_experiments(max_results=1)  # the first call also makes MLflow's default experiment
                self._whole = WholeRuns.of(path)
            except (MlflowException, sqlalchemy.exc.SQLAlchemyError) as error:
                raise _explained(path, error) from error

    def find_experiment(self, name: str) -> str | None:
        """The id of the live experiment of that name, or None."""
        found = self._client.get_experiment_by_name(name)
        return None if found is None or found.lifecycle_stage == "deleted" else str(found.experiment_id)

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, created or taken out of the bin when need be."""
        found = self._client.get_experiment_by_name(name)
        if found is None:
            served = self._uri.startswith(("http://", "https://"))
            try:
                return str(self._client.create_experiment(name, None if served else (self._artifacts_root / name).as_uri()))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)
                if found is None:  # else another process was quicker
                    raise
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def search(self, experiment: str, sweep_id: str) -> list[Any]:
        """MLflow's own objects of the live runs of one sweep, with their tags, params and latest metrics."""
        found: list[Any] = []
        token: str | None = None
        while True:
            wanted = f"tags.`{SWEEP_ID}` = '{sweep_id}'"
            page = self._client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, max_results=1000, page_token=token)
            found.extend(page)
            token = page.token
            if not token:
                return found

    def runs(self, experiment: str, sweep_id: str) -> dict[str, KnownRun]:
        """The live runs of one sweep by identity. Of several with one identity the oldest is kept, the others are deleted."""
        known: dict[str, KnownRun] = {}
        for run in sorted(self.search(experiment, sweep_id), key=lambda run: (run.info.start_time, run.info.run_id)):
            tags = run.data.tags
            if tags.get(IDENTITY) in known:
                self._client.delete_run(run.info.run_id)
            elif IDENTITY in tags:
                known[tags[IDENTITY]] = KnownRun.tagged(run.info.run_id, run.info.artifact_uri, run.info.status, tags)
        return known

    def history(self, run_id: str, key: str) -> list[Point]:
        """Every stored point of one metric, by step."""
        points = [Point(metric.key, metric.value, metric.timestamp, metric.step) for metric in self._client.get_metric_history(run_id, key)]
        return sorted(points, key=lambda point: (point.step, point.at_ms))

    def create(self, experiment: str, picture: Picture) -> KnownRun:
        """A new run with the picture's tags and the promise of its points, still empty."""
        points = digest(picture.points)
        tags = {**picture.tags, IDENTITY: picture.identity, POINTS: points}
        info = self._client.create_run(experiment, picture.start_ms, tags, picture.name).info
        return KnownRun(info.run_id, info.artifact_uri, Status.RUNNING, points)

    def write_whole(self, experiment: str, pictures: Iterable[Picture], known: dict[str, KnownRun]) -> None:
        """In a local store, write those runs that are over and not there yet, together; ``write_trial`` has nothing left to do for them."""
        fresh = [picture for picture in pictures if picture.identity not in known and picture.status is not Status.RUNNING]
        if self._whole is None or not fresh:
            return
        location = str(self._client.get_experiment(experiment).artifact_location)
        begun = [(self._whole.begin(location, picture), picture) for picture in fresh]
        for run, picture in begun:
            self._put_texts(run, picture.texts)  # first: a run that is there is complete
        self._whole.write(experiment, begun)
        known.update((picture.identity, run) for run, picture in begun)

    def write_trial(self, experiment: str, picture: Picture, known: dict[str, KnownRun]) -> KnownRun:
        """Bring a trial's run to the picture; what was sent before may be sent again without harm.

        Points cannot be taken back. So their digest is written before them, and a run whose points are not the beginning of the
        trial's any more (a lost attempt that could not be repeated bit for bit) is deleted and made again.
        """
        run = known.get(picture.identity)
        if run is not None and not continues(picture.points, run.points):
            self._client.delete_run(run.run_id)
            del known[picture.identity]
            run = None
        fresh = run is None
        if run is None:
            run = known[picture.identity] = self.create(experiment, picture)
            self._log(run, picture.points, picture.params, {})
        elif run.status is not Status.RUNNING and run.points == digest(picture.points):
            return run  # terminating was the last step of an earlier writer that could not say so any more
        else:
            run.points = digest(picture.points)
            self._client.set_tag(run.run_id, POINTS, run.points)
            self._log(run, picture.points, {} if run.sent else picture.params, picture.tags)
        over = picture.status is not Status.RUNNING
        if fresh or over:
            self._put_texts(run, picture.texts)
        if over:
            self._terminate(run, picture)
        return run

    def write_sweep(self, experiment: str, picture: Picture, known: dict[str, KnownRun]) -> KnownRun:
        """Bring a sweep's run to the picture, except for its end."""
        run = known.get(picture.identity)
        if run is None:
            run = known[picture.identity] = self.create(experiment, picture)
            self._log(run, picture.points, picture.params, {})
            return run
        if run.status is not Status.RUNNING:
            self._client.update_run(run.run_id, status=Status.RUNNING.value)
            run.status = Status.RUNNING
        self._log(run, picture.points, {} if run.sent else picture.params, picture.tags)
        return run

    def end_sweep(self, run: KnownRun, picture: Picture, files: Mapping[str, bytes], tags: Mapping[str, str]) -> None:
        """Store the last artifacts, terminate the run, and note in its tags that this is done."""
        for name, content in files.items():
            self.put_file(run, name, content)
        self._log(run, (), {}, tags)
        self._terminate(run, picture)
        run.final = str(picture.end_ms)
        self._client.set_tag(run.run_id, FINAL, run.final)

    def write_job(self, experiment: str, picture: Picture, files: Iterable[Path]) -> str:
        """A finished job as one new run; returns its run id."""
        run = self.create(experiment, picture)
        self._log(run, picture.points, picture.params, {})
        self._put_texts(run, picture.texts)
        for file in files:
            self.put_file(run, file.name, file.read_bytes())
        self._terminate(run, picture)
        return run.run_id

    def has_run(self, run_id: str) -> bool:
        """Whether the store holds this run; it may be another store than the one that it was written to."""
        try:
            return self._client.get_run(run_id).info.lifecycle_stage == "active"
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        for key, value in tags.items():
            self._client.set_tag(run_id, key, value)

    def put_file(self, run: KnownRun, name: str, content: bytes) -> None:
        """Store an artifact at the run's root."""
        location = urlsplit(run.artifact_uri)
        if location.scheme == "file":
            replace_bytes(Path(unquote(location.path)) / name, content)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            get_artifact_repository(run.artifact_uri, tracking_uri=self._uri).log_artifact(str(path))  # type: ignore[no-untyped-call]

    def _put_texts(self, run: KnownRun, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self.put_file(run, name, text.encode())

    def _log(self, run: KnownRun, points: Iterable[Point], params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        new = [point for point in points if point not in run.sent]
        self._client.log_batch(
            run.run_id,
            [Metric(point.key, point.value, point.at_ms, point.step) for point in new],
            [Param(key, value) for key, value in params.items()],
            [RunTag(key, value) for key, value in tags.items()],
        )
        run.sent.update(new)

    def _terminate(self, run: KnownRun, picture: Picture) -> None:
        self._client.set_terminated(run.run_id, picture.status.value, picture.end_ms)
        run.status = picture.status
        run.sent = set()


def _create_sqlite(path: Path) -> None:
    """Make a complete store beside ``path`` and move it there: a kill on the way leaves no half-made file."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{part}", poolclass=sqlalchemy.NullPool)
    _initialize_tables(engine)  # type: ignore[no-untyped-call]
    engine.dispose()
    connection = sqlite3.connect(part)
    connection.execute("pragma journal_mode=WAL")
    connection.close()
    part.replace(path)


def _explained(path: Path, error: Exception) -> Exception:
    """The same error, or what to do when the file itself is at fault (as after a kill during its first use by another program)."""
    reason = str(error)
    if any(sign in reason for sign in ("no such table", "already exists", "no such column", "not a database", "malformed")):
        return MlflowException(f"{path} is damaged or half made: move it away, and `sweeper sync` makes it anew from the ledger")
    return error


class MlflowMirror:
    """Copies sweeps from the ledger to MLflow; one writer per sweep at a time (see ``follow``).

    Args:
        ledger: the truth.
        tracking_uri: MLflow's.
        artifacts_root: where the artifacts of stores without a server go.
        files: the files of a finished sweep that belong to its run (``best.yaml``), by the sweep's name.
    """

    def __init__(
        self, ledger: Ledger, tracking_uri: str, artifacts_root: Path, files: Callable[[str], Iterable[Path]] = lambda _: ()
    ) -> None:
        self.error: str | None = None
        """Why the latest ``sync`` could not bring everything over; never holds a password."""
        self._ledger = ledger
        self._uri = tracking_uri
        self._artifacts_root = artifacts_root
        self._files = files
        self._tracker: Tracker | None = None
        self._sweeps: dict[str, Mirroring] = {}

    def sync(self, sweep: str, *, seconds: float = 60.0, patience_s: float = 5.0) -> int:
        """Bring over what the tracker lacks; a tracker that is down raises nothing, see ``error``.

        Args:
            sweep: the sweep's name.
            seconds: begin no further trial after this time.
            patience_s: running trials appear when they are this old: those that end before are written in one go.

        Returns:
            How many records (trials, and the sweep itself) the tracker still lacks.

        Raises:
            InputError: there is no such sweep.
            InfrastructureError: the ledger cannot be read.
        """
        deadline = time.monotonic() + seconds
        self.error = None
        try:
            if self._tracker is None:
                self._tracker = Tracker(self._uri, self._artifacts_root)
            mirroring = self._sweeps.get(sweep)
            if mirroring is None or not mirroring.current():
                mirroring = self._sweeps[sweep] = Mirroring(self._ledger, self._tracker, sweep, self._files)
            mirroring.bring(deadline, patience_s)
        except TRACKER_ERRORS as error:
            _allow_more_time(error)
            self.error = f"{unsigned(self._uri)} did not take everything: {told(error)}"
            # An unanswered call may have been carried out: what is there is looked up before the next one.
            self._sweeps.pop(sweep, None)
        return lacking(self._ledger, sweep)

    def over(self, sweep: str) -> bool:
        """Whether nothing more will happen to the sweep."""
        return self._ledger.known(sweep).state in OVER
