from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sweeper.tracking.child import child_picture
from sweeper.tracking.mlflow import MlflowMirror, Tracker
from sweeper.tracking.whole_runs import COLUMNS, WholeRuns
from sweeper.trial import Outcome
from tests.tracking.hand import Hand

Store = tuple[str, Path]


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Store:
    """A store that no other test writes to."""
    Tracker(*store)
    copy = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(store[0].removeprefix("sqlite:///"))) as shared, closing(sqlite3.connect(copy)) as mine:
        shared.backup(mine)
    return f"sqlite:///{copy}", tmp_path / "mlartifacts"


def rows_of(store: Store, sweep: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the sweep's trials, with run names in place of run ids and the artifacts' content in place of their folder."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with closing(sqlite3.connect(store[0].removeprefix("sqlite:///"))) as database:
        database.row_factory = sqlite3.Row
        query = "select run_uuid, name from runs where name like ?"
        names = {row["run_uuid"]: row["name"] for row in database.execute(query, (f"{sweep}/%",))}
        for table in COLUMNS:
            found = [dict(row) for row in database.execute(f"select * from {table}")]  # noqa: S608 - a constant
            rows[table] = sorted(tuple(_told(row, names).items()) for row in found if row["run_uuid"] in names)
    return rows


def _told(row: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
    if "artifact_uri" in row:
        folder = Path(row["artifact_uri"].removeprefix("file://"))
        assert folder.parts[-2:] == (row["run_uuid"], "artifacts")
        row["artifact_uri"] = {path.name: path.read_text() for path in folder.iterdir()}
    if row.get("key") == "mlflow.parentRunId":
        row["value"] = "the sweep's run"
    return {key: repr(names.get(value, value) if isinstance(value, str) else value) for key, value in row.items()}


def test_the_rows_are_those_of_mlflows_client(own: Store, tmp_path: Path) -> None:
    """Outcomes of every kind, without points and with values that are not finite: not one row differs."""
    hand = Hand(tmp_path, "rows", trials=6)
    hand.trial(0, Outcome.COMPLETE)
    hand.trial(1, Outcome.PRUNED, 2)
    hand.trial(2, Outcome.DIVERGED, 2, val_loss=math.nan, train_loss=math.inf)
    hand.trial(3, Outcome.CANCELLED, 1)
    hand.writer.fail(hand.number(4), "ValueError: by hand")
    written = {}
    for way in ("whole", "client"):
        folder = tmp_path / way
        folder.mkdir()
        shutil.copy(own[0].removeprefix("sqlite:///"), folder / "mlflow.db")
        there = (f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts")
        mirror = MlflowMirror(hand.ledger, *there)
        mirror._tracker = Tracker(*there)
        assert mirror._tracker._whole is not None
        if way == "client":
            mirror._tracker._whole = None
        else:
            mirror._tracker.write_trial = lambda _, picture, known: known[picture.identity]  # type: ignore[method-assign]
        assert (mirror.sync(hand.name), mirror.error) == (0, None)
        written[way] = rows_of(there, hand.name)
        hand.ledger.reset_tracking(hand.name)
    assert len(written["whole"]["runs"]) == 5
    assert written["whole"] == written["client"]


@pytest.mark.parametrize("change", ["alter table runs add column extra text", "create trigger t after insert on tags begin select 1; end"])
def test_a_store_of_another_layout_is_left_to_the_client(own: Store, change: str) -> None:
    """A further column, or a trigger, is a version of MLflow that we do not know."""
    path = Path(own[0].removeprefix("sqlite:///"))
    assert WholeRuns.of(path) is not None
    with closing(sqlite3.connect(path)) as database:
        database.execute(change)
    assert WholeRuns.of(path) is None


def test_a_chunk_is_written_whole_or_not_at_all(own: Store, tmp_path: Path) -> None:
    """When the store refuses one row, no run of the chunk is there, and the error says which file."""
    hand = Hand(tmp_path, "chunk")
    hand.trial(0, Outcome.COMPLETE)
    hand.trial(1, Outcome.COMPLETE)
    tracker = Tracker(*own)
    whole = tracker._whole
    assert whole is not None
    sweep = hand.ledger.known(hand.name)
    pictures = [
        child_picture(sweep, record, hand.ledger.reports(hand.name, record.number), "p") for record in hand.ledger.trials(hand.name)
    ]
    begun = [(whole.begin("file:///nowhere", picture), picture) for picture in pictures]
    begun[1][0].run_id = begun[0][0].run_id
    with pytest.raises(OSError, match=r"mlflow\.db: UNIQUE constraint failed"):
        whole.write(tracker.experiment("chunk"), begun)
    assert rows_of(own, hand.name)["runs"] == []
