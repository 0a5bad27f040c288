"""Finished trials into a local MLflow store, whole and many at a time.

MLflow's client makes some fifteen small transactions of one run; a trial that ended before it was seen needs one for all its rows, shared
with the other trials of the chunk. So these go into MLflow's tables directly: the same rows, in a SQLite file on this machine whose tables
are the ones known here. Any other store, and any other layout of the tables, is written by the client alone.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

from sweeper.tracking.picture import IDENTITY, POINTS, KnownRun, Picture, Point, digest

COLUMNS = {
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time source_version lifecycle_stage "
    "artifact_uri experiment_id deleted_time",
    "tags": "key value run_uuid",
    "params": "key value run_uuid",
    "metrics": "key value timestamp run_uuid step is_nan",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
}
"""MLflow's tables of runs, their columns in order. A run may have rows in others (datasets, models); ours have none."""

PATIENCE_S = 20.0
"""How long another program may hold the file."""


class WholeRuns:
    """Writes runs that end in the transaction in which they begin; ``of`` makes one.

    Args:
        path: an MLflow store, with all its migrations.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """For this file, if its tables are as we know them.

        Raises:
            OSError: the file cannot be read.
        """
        with closing(_connect(path)) as database:
            for table, columns in COLUMNS.items():
                found = [name for _, name, *_ in database.execute(f"pragma table_info({table})")]
                if found != columns.split():
                    return None
            triggers = database.execute("select tbl_name from sqlite_master where type = 'trigger'")
            if any(table in COLUMNS for (table,) in triggers):
                return None
        return cls(path)

    def begin(self, location: str, picture: Picture) -> KnownRun:
        """A run that is still to be written, so that its artifacts may be stored before.

        Args:
            location: the experiment's folder, a URI.
            picture: of a run that is over.
        """
        run = uuid.uuid4().hex
        return KnownRun(run, f"{location.rstrip('/')}/{run}/artifacts", picture.status, digest(picture.points))

    def write(self, experiment: str, runs: Sequence[tuple[KnownRun, Picture]]) -> None:
        """All rows of all runs, or none.

        Raises:
            OSError: the store did not take them.
        """
        rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in COLUMNS}
        for run, picture in runs:
            _add(rows, int(experiment), run, picture)
        try:
            with closing(_connect(self._path)) as database, database:
                for table, columns in COLUMNS.items():
                    marks = ", ".join("?" for _ in columns.split())
                    database.executemany(f"insert into {table} values ({marks})", rows[table])  # noqa: S608 - constants
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error


def _add(rows: dict[str, list[tuple[object, ...]]], experiment: int, run: KnownRun, picture: Picture) -> None:
    """The rows that MLflow's client would leave of the run."""
    key = run.run_id
    tags = {**picture.tags, IDENTITY: picture.identity, POINTS: run.points, "mlflow.runName": picture.name}
    user, uri = tags.get("mlflow.user", "unknown"), run.artifact_uri
    state = picture.status.value
    rows["runs"].append(
        (key, picture.name, "UNKNOWN", "", "", user, state, picture.start_ms, picture.end_ms, "", "active", uri, experiment, None)
    )
    rows["tags"] += [(name, value, key) for name, value in tags.items()]
    rows["params"] += [(name, value, key) for name, value in picture.params.items()]
    rows["metrics"] += [(point.key, point.value, point.at_ms, key, point.step, 0) for point in picture.points]
    rows["latest_metrics"] += [(point.key, point.value, point.at_ms, point.step, 0, key) for point in _latest(picture.points)]


def _latest(points: Iterable[Point]) -> Iterable[Point]:
    """Of each metric the point that MLflow shows in its lists."""
    latest: dict[str, Point] = {}
    for point in points:
        before = latest.get(point.key)
        if before is None or (point.step, point.at_ms, point.value) > (before.step, before.at_ms, before.value):
            latest[point.key] = point
    return latest.values()


def _connect(path: Path) -> sqlite3.Connection:
    """The file, which must be there.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=PATIENCE_S, uri=True)
        database.execute("pragma foreign_keys = on")
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error
    return database
