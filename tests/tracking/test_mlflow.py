from __future__ import annotations

import json
import math
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.ledger.records import SweepState
from sweeper.tracking.check import mirror_violations
from sweeper.tracking.child import sweep_id
from sweeper.tracking.mlflow import MlflowException, MlflowMirror, Tracker
from sweeper.trial import Outcome
from tests.tracking.hand import Hand, reports

Store = tuple[str, Path]
MirrorOf = Callable[[Hand], MlflowMirror]


@pytest.fixture
def mirror_of(store: Store) -> MirrorOf:
    """A fresh mirror of a hand-made ledger, as a new process would have it."""
    return lambda hand: MlflowMirror(hand.ledger, *store)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures cost a second a sweep; where they do not matter they are left out."""
    monkeypatch.setattr("sweeper.tracking.mirroring.last_files", lambda *_: {})


@pytest.fixture
def runs_of(store: Store) -> Callable[[Hand], dict[str, Any]]:
    """The live runs of a sweep by run name; two of one name are an error."""

    def found(hand: Hand) -> dict[str, Any]:
        tracker = Tracker(*store)
        experiment = tracker.find_experiment(hand.name)
        runs = tracker.search(experiment, sweep_id(hand.ledger.sweep(hand.name))) if experiment else []
        assert len({run.info.run_name for run in runs}) == len(runs)
        return {run.info.run_name: run for run in runs}

    return found


def history(store: Store, run: Any, key: str) -> list[tuple[int, float]]:
    """Step and value of every stored point of a metric."""
    return [(point.step, point.value) for point in Tracker(*store).history(run.info.run_id, key)]


def test_a_sweep_is_a_parent_run_with_a_child_per_trial(tmp_path: Path, store: Store, mirror_of: MirrorOf, runs_of) -> None:
    """Names, states, tags, params, metrics and artifacts are all there, and the check agrees."""
    hand = Hand(tmp_path, "whole")
    hand.trial(0, Outcome.COMPLETE)
    hand.trial(1, Outcome.PRUNED, 2)
    hand.trial(2, Outcome.DIVERGED, 2, val_loss=math.nan, train_loss=math.inf)
    hand.trial(3, Outcome.FAILED, 1)
    hand.trial(4, Outcome.CANCELLED, 1)
    hand.writer.set_facts(test={"trial": 0, "metrics": {"accuracy": 0.875}, "touches": 1})
    hand.finish()
    best = tmp_path / "best.yaml"
    best.write_text("name: whole\n")
    mirror = MlflowMirror(hand.ledger, *store, files=lambda _: [best, tmp_path / "not there"])
    assert (mirror.sync(hand.name), mirror.error) == (0, None)

    runs = runs_of(hand)
    parent = runs.pop("whole")
    assert [runs[f"whole/{n}"].info.status for n in range(5)] == ["FINISHED", "FINISHED", "FAILED", "FAILED", "KILLED"]
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in runs.values())
    first, diverged = runs["whole/0"], runs["whole/2"]
    assert {key: first.data.tags[key] for key in ("sweep", "trial", "stage", "outcome", "reason")} == {
        "sweep": "whole", "trial": "0", "stage": "search", "outcome": "complete", "reason": "complete by hand",
    }  # fmt: skip
    assert first.data.params["model.width"] == "16"
    assert first.data.params["optimizer.lr"] == repr(hand.resolved(0).config.optimizer.lr)
    assert not [name for name in first.data.params if name.startswith(("search.", "resources."))]
    assert history(store, first, "val_loss") == [(epoch, 1 / 7 / epoch) for epoch in (1, 2, 3)]
    assert (first.data.metrics["best_val_loss"], first.data.metrics["best_epoch"]) == (1 / 7 / 3, 3.0)
    assert "best_val_loss" not in diverged.data.metrics
    assert history(store, diverged, "val_loss") == [(1, 3 / 7)]
    assert diverged.data.tags["non_finite"] == "train_loss from epoch 2, val_loss from epoch 2"

    assert parent.info.status == "FINISHED"
    assert parent.info.end_time == round(hand.ledger.sweep("whole").ended * 1000)
    told = {"trials_done": 5, "best_val_loss": 1 / 7 / 3, "test_accuracy": 0.875}
    assert {key: parent.data.metrics[key] for key in told} == told
    assert (parent.data.params["baseline.val_loss"], parent.data.tags["trials.failed"]) == ("0.9", "1")
    assert parent.data.params["model.width"] == "{'choice': [16, 32], 'default': 16}"
    assert (parent.data.tags["winner"], parent.data.tags["version.torch"]) == ("whole/0", "2.13.0")
    artifacts = store[1] / "whole"
    names = {path.name for path in (artifacts / parent.info.run_id / "artifacts").iterdir()}
    assert names == {"best.yaml", "space.yaml", "leaderboard.csv", "leaderboard.json", "figures.html", "history.png", "learning_curves.png"}
    table = json.loads((artifacts / parent.info.run_id / "artifacts" / "leaderboard.json").read_text())
    assert table["columns"][:4] == ["trial", "outcome", "val_loss", "best_epoch"]
    assert table["data"][0][:2] == [0, "complete"]
    assert "width: 16" in (artifacts / first.info.run_id / "artifacts" / "config.yaml").read_text()
    assert mirror_violations(hand.ledger, *store, hand.name) == []


def test_a_long_trial_appears_while_it_runs(tmp_path: Path, store: Store, mirror_of: MirrorOf, runs_of) -> None:
    """Its first epochs are there before it ends, the rest is added, and nothing is there twice."""
    hand = Hand(tmp_path, "long")
    token = hand.number(0)
    made = reports(0, 3, hand.now)
    hand.record(token, made[:2])
    mirror = mirror_of(hand)
    assert mirror.sync(hand.name, patience_s=0) == 0
    run = runs_of(hand)["long/0"]
    assert run.info.status == "RUNNING"
    assert len(history(store, run, "val_loss")) == 2
    hand.record(token, made[2:], Outcome.COMPLETE)
    assert mirror.sync(hand.name) == 0
    run = runs_of(hand)["long/0"]
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(store, run, "val_loss")] == [1, 2, 3]
    assert mirror_violations(hand.ledger, *store, hand.name) == []


def test_the_engine_is_told_and_a_retry_with_another_replaces_it(tmp_path: Path, mirror_of: MirrorOf, runs_of) -> None:
    """The tag is how the latest attempt was trained, and the run starts when the trial did, not when it was numbered."""
    hand = Hand(tmp_path, "engine")
    hand.number(0)
    hand.writer.release("worker")
    hand.now += 60
    [token] = hand.writer.start([0], "another")
    first, *others = reports(0, 3, hand.now)
    hand.record(token, [replace(first, how="stacked: 8 lanes, 2.6x the speed of one (measured on cpu)")])
    mirror = mirror_of(hand)
    assert mirror.sync(hand.name, patience_s=0) == 0
    run = runs_of(hand)["engine/0"]
    assert (run.data.tags["engine"], run.info.start_time) == ("stacked: 8 lanes, 2.6x the speed of one (measured on cpu)", hand.now * 1000)
    hand.writer.release("another")
    [token] = hand.writer.start([0], "third")
    hand.record(token, [replace(first, how="plain: one lane is faster"), *others], Outcome.COMPLETE)
    assert mirror.sync(hand.name) == 0
    run = runs_of(hand)["engine/0"]
    assert (run.info.status, run.data.tags["engine"]) == ("FINISHED", "plain: one lane is faster")


def test_a_young_trial_waits_until_it_has_ended(tmp_path: Path, mirror_of: MirrorOf, runs_of) -> None:
    """A trial of a second is not written twice."""
    hand = Hand(tmp_path, "young")
    hand.now = time.time()
    hand.record(hand.number(0), reports(0, 2, hand.now))
    assert mirror_of(hand).sync(hand.name) == 1
    assert list(runs_of(hand)) == ["young"]


def test_points_of_a_lost_attempt_do_not_stay(tmp_path: Path, store: Store, mirror_of: MirrorOf, runs_of) -> None:
    """A trial that was trained again with other values has the points of the last attempt only."""
    hand = Hand(tmp_path, "again")
    token = hand.number(0)
    hand.record(token, reports(0, 3, hand.now))
    assert mirror_of(hand).sync(hand.name, patience_s=0) == 0
    hand.writer.release("worker")
    hand.now += 100
    token = hand.writer.start([0], "another")[0]
    hand.record(token, reports(0, 2, hand.now, shift=0.5), Outcome.PRUNED)
    assert mirror_of(hand).sync(hand.name) == 0
    assert [value for _, value in history(store, runs_of(hand)["again/0"], "val_loss")] == [1 / 7 + 0.5, 1 / 14 + 0.5]
    assert mirror_violations(hand.ledger, *store, hand.name) == []


def test_an_attempt_that_repeats_itself_keeps_its_run(tmp_path: Path, store: Store, mirror_of: MirrorOf, runs_of) -> None:
    """Bit-equal values of a second attempt are the same points."""
    hand = Hand(tmp_path, "same")
    hand.record(hand.number(0), reports(0, 2, hand.now))
    assert mirror_of(hand).sync(hand.name, patience_s=0) == 0
    before = runs_of(hand)["same/0"].info.run_id
    hand.writer.release("worker")
    hand.now += 100
    hand.record(hand.writer.start([0], "another")[0], reports(0, 3, hand.now), Outcome.COMPLETE)
    assert mirror_of(hand).sync(hand.name) == 0
    assert runs_of(hand)["same/0"].info.run_id == before
    assert mirror_violations(hand.ledger, *store, hand.name) == []


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("call", ["log_batch", "set_tag", "set_terminated", "create_run", "write"])
def test_a_crash_at_any_call_leaves_neither_doubles_nor_gaps(
    tmp_path: Path, store: Store, runs_of, monkeypatch, *, call: str, lost: str
) -> None:
    """Whether the request or only its reply was lost: a new process brings everything over once."""
    hand = Hand(tmp_path, f"crash-{call.replace('_', '-')}-{lost}", trials=2)
    mirror = MlflowMirror(hand.ledger, *store)
    token = hand.number(0)
    hand.record(token, reports(0, 1, hand.now))
    mirror.sync(hand.name, patience_s=0)
    if call == "create_run":
        mirror._tracker._whole = None  # as of a server, where also finished trials are written call by call
    client = mirror._tracker._whole if call == "write" else mirror._tracker._client
    real, calls = getattr(client, call), []

    def failing(*args, **kwargs):
        calls.append(call)
        if lost == "reply":
            real(*args, **kwargs)
        raise MlflowException("connection reset http://ada:hunter2@host/ by peer")

    hand.record(token, reports(0, 3, hand.now)[1:], Outcome.COMPLETE)
    hand.trial(1, Outcome.PRUNED)
    hand.finish()
    with monkeypatch.context() as patch:
        patch.setattr(client, call, failing)
        while mirror.sync(hand.name) > 0 and len(calls) < 3:
            assert mirror.error.endswith("did not take everything: connection reset http://***@host/ by peer")
    assert calls
    again = MlflowMirror(hand.ledger, *store)
    assert (again.sync(hand.name), again.error) == (0, None)
    assert set(runs_of(hand)) == {hand.name, f"{hand.name}/0", f"{hand.name}/1"}
    assert mirror_violations(hand.ledger, *store, hand.name) == []


def test_a_second_sync_writes_nothing(tmp_path: Path, mirror_of: MirrorOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """When everything is told, neither the same process nor another one writes again."""
    hand = Hand(tmp_path, "quiet")
    hand.trial(0, Outcome.COMPLETE)
    mirror = mirror_of(hand)
    mirror.sync(hand.name)
    again = mirror_of(hand)
    again.sync("quiet")
    for each in (mirror, again):
        for call in ("create_run", "log_batch", "set_tag", "set_terminated", "update_run"):
            monkeypatch.setattr(each._tracker._client, call, lambda *_, **__: pytest.fail("wrote"))
        assert each.sync(hand.name) == 0


def test_a_lost_store_is_built_anew_from_the_ledger(tmp_path: Path, mirror_of: MirrorOf, store: Store, runs_of) -> None:
    """Runs that vanished from the tracker come back although the ledger has them marked."""
    hand = Hand(tmp_path, "anew")
    hand.trial(0, Outcome.COMPLETE)
    hand.trial(1, Outcome.PRUNED)
    mirror_of(hand).sync(hand.name)
    tracker = Tracker(*store)
    for run in runs_of(hand).values():
        tracker._client.delete_run(run.info.run_id)
    assert any("has no run" in line for line in mirror_violations(hand.ledger, *store, hand.name))
    assert mirror_of(hand).sync(hand.name) == 0
    assert mirror_violations(hand.ledger, *store, hand.name) == []


@pytest.mark.usefixtures("no_figures")
def test_an_extended_sweep_goes_on_in_its_run(tmp_path: Path, store: Store, mirror_of: MirrorOf, runs_of) -> None:
    """The same parent run is opened again, gets the new trials and is finished again."""
    hand = Hand(tmp_path, "more", trials=1)
    hand.trial(0, Outcome.COMPLETE)
    hand.finish()
    mirror = mirror_of(hand)
    assert mirror.sync(hand.name) == 0
    before = runs_of(hand)["more"].info
    hand.writer.extend(2)
    assert mirror.sync(hand.name) == 0
    assert runs_of(hand)["more"].info.status == "RUNNING"
    hand.trial(1, Outcome.COMPLETE)
    hand.finish()
    assert mirror.sync(hand.name) == 0
    after = runs_of(hand)["more"]
    assert (after.info.run_id, after.info.status, after.data.metrics["trials_done"]) == (before.run_id, "FINISHED", 2)
    assert mirror_violations(hand.ledger, *store, hand.name) == []


@pytest.mark.usefixtures("no_figures")
def test_a_sweep_without_a_winner_is_failed_and_a_cancelled_one_killed(tmp_path: Path, mirror_of: MirrorOf, runs_of) -> None:
    """The sweep's own run tells how it ended."""
    for name, state, status in (("none", SweepState.COMPLETE, "FAILED"), ("stop", SweepState.CANCELLED, "KILLED")):
        (tmp_path / name).mkdir()
        hand = Hand(tmp_path / name, name, trials=1)
        hand.trial(0, Outcome.DIVERGED, 1, val_loss=math.nan)
        hand.finish(state)
        assert mirror_of(hand).sync(name) == 0
        assert runs_of(hand)[name].info.status == status


def test_a_dead_server_blocks_for_a_moment_and_loses_nothing(tmp_path: Path) -> None:
    """Everything stays pending, the reason is a sentence without the password."""
    hand = Hand(tmp_path, "dead")
    hand.trial(0, Outcome.COMPLETE)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    mirror = MlflowMirror(hand.ledger, f"http://ada:hunter2@127.0.0.1:{port}", tmp_path)
    began = time.monotonic()
    assert mirror.sync(hand.name) == 1
    assert time.monotonic() - began < 5
    assert mirror.error == f"http://***@127.0.0.1:{port} did not take everything: [Errno 111] Connection refused"


def test_the_check_sees_what_was_tampered_with(tmp_path: Path, store: Store, mirror_of: MirrorOf, runs_of) -> None:
    """A changed state, an added point, a missing and a foreign run are each named."""
    hand = Hand(tmp_path, "tamper")
    for number in range(4):
        hand.trial(number, Outcome.COMPLETE)
    mirror_of(hand).sync(hand.name)
    client, runs = Tracker(*store)._client, runs_of(hand)
    client.set_terminated(runs["tamper/0"].info.run_id, "FAILED")
    client.log_metric(runs["tamper/1"].info.run_id, "val_loss", 0.5, timestamp=1, step=1)
    client.delete_run(runs["tamper/2"].info.run_id)
    client.set_tag(runs["tamper/3"].info.run_id, "sweeper.id", "somebody")
    found = mirror_violations(hand.ledger, *store, hand.name)
    assert [line.split(": ")[0] for line in found] == ["tamper/0", "tamper/1", "tamper/2", "tamper/3", "tamper"]


def test_the_store_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill during the first use leaves no database that is half made."""

    def killed(engine: Any) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("create table experiments (half integer)")
        raise KeyboardInterrupt

    monkeypatch.setattr("sweeper.tracking.mlflow._initialize_tables", killed)
    with pytest.raises(KeyboardInterrupt):
        Tracker(f"sqlite:///{tmp_path / 'new.db'}", tmp_path)
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("content", ["half made", "no database"])
def test_a_store_that_is_damaged_is_explained(tmp_path: Path, content: str) -> None:
    """The sentence says what to do."""
    path = tmp_path / "mlflow.db"
    if content == "half made":
        connection = sqlite3.connect(path)
        connection.execute("create table experiments (half integer)")
        connection.close()
    else:
        path.write_text(content * 1000)
    (tmp_path / "ledger").mkdir()
    hand = Hand(tmp_path / "ledger", "damaged")
    hand.trial(0, Outcome.COMPLETE)
    mirror = MlflowMirror(hand.ledger, f"sqlite:///{path}", tmp_path)
    assert mirror.sync(hand.name) == 1
    assert mirror.error.endswith(f"{path} is damaged or half made: move it away, and `sweeper sync` makes it anew from the ledger")
