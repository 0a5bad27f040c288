"""Range tests from a space to files, MLflow and the terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.app.lr_range import Options, run, show
from sweeper.config.space import Space
from sweeper.errors import InputError
from sweeper.ledger.records import NewSweep
from sweeper.ledger.store import Ledger
from sweeper.tracking.mlflow import Tracker
from sweeper.trial import Metric

SPACE = """\
name: tiny
data: {source: breast_cancer}
model: {family: mlp, width: 16}
optimizer: {name: adamw, lr: {log: [1e-4, 1e-1]}}
"""
TEST = {"steps": 60, "seeds": 2, "probe": None}


@pytest.fixture
def space(home: Path) -> str:
    """A space in an empty home."""
    (home / "tiny.yaml").write_text(SPACE)
    return "tiny.yaml"


def store(home: Path) -> Tracker:
    """The home's MLflow."""
    return Tracker(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts")


def test_one_test_with_a_probe(home: Path, space: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Three files, an answer in the terminal, and a run below that of the sweep, which says so."""
    ledger = Ledger.open(f"sqlite:///{home / 'runs' / 'ledger.db'}")
    found = Space.load(Path(space))
    ledger.create_sweep(NewSweep("tiny", found.text, found.fingerprint(), Metric.VAL_LOSS, 5, {}))
    tracker = store(home)
    sweep = tracker._client.create_run(tracker.experiment("tiny")).info.run_id
    ledger.mark_sweep("tiny", run_id=sweep)

    tested = run(space, [], Options({**TEST, "probe": "train_loss", "probe_steps": 25}), print)
    assert tested.trouble is None
    assert {file.name for file in tested.folder.iterdir()} == {"result.json", "lr_range.png", "lr_range.html"}
    told = tested.as_dict()
    assert json.loads((tested.folder / "result.json").read_text())["probe"] == told["probe"]
    assert told["suggestion"] is not None

    show(tested)
    said = capsys.readouterr().out
    assert all(word in said for word in ("▲", "probe ok", "train with  lr ", "search      lr: {log: [", "lr_range.html"))
    assert "trained before" not in said
    show(replace(tested, custom=True))
    assert "trained before" in capsys.readouterr().out

    linked = tracker._client.get_run(sweep).data.tags["lr_range.run"]
    assert tracker._client.get_run(linked).data.tags["mlflow.parentRunId"] == sweep


def test_variants_are_a_sheet_a_table_and_a_list(home: Path, space: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line before each of them, and the largest harmless decay at the end."""
    lines: list[str] = []
    tested = run(space, [], Options(TEST, optimizers="adamw,sgd", weight_decays="0,1e-3"), lines.append)
    assert lines[0] == "test 1 of 4: adamw, weight_decay 0"
    assert len(lines) == 4
    assert {file.name for file in tested.folder.iterdir()} == {"variants.json", "variants.png", "variants.html"}
    told = json.loads((tested.folder / "variants.json").read_text())
    assert [(test["optimizer"], test["settings"]["weight_decay"]) for test in told["tests"]] == [
        ("adamw", 0), ("adamw", 1e-3), ("sgd", 0), ("sgd", 1e-3),
    ]  # fmt: skip
    assert [reading["subject"] for reading in told["weight_decays"]] == ["adamw", "sgd"]
    assert tested.as_dict()["tests"] == told["tests"]
    show(tested)
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("adamw 0") == 2
    assert "costs no validation loss" in said
    assert "compare the losses, not the rates" in said
    tracker = store(home)
    assert len(tracker._client.search_runs([tracker.find_experiment("tiny")])) == 5


@pytest.mark.parametrize("options", [Options(TEST, optimizers="adamw,sdg"), Options({**TEST, "probe": "train_loss", "probe_steps": 3})])
def test_bad_input_creates_nothing(home: Path, space: str, options: Options) -> None:
    """Told before anything is trained."""
    with pytest.raises(InputError):
        run(space, [], options, print)
    assert [path.name for path in home.iterdir()] == ["tiny.yaml"]


def test_what_is_interrupted_leaves_nothing(home: Path, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are written when all of them are there, and drawn."""

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("sweeper.lr_range.figure.png", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(space, [], Options(TEST), print)
    assert [path.name for path in home.iterdir()] == ["tiny.yaml"]
