"""Production jobs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from sweeper.config.files import config_from_tree, load_config
from sweeper.config.schema import Config
from sweeper.core import checkpoint
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError, SweeperError
from sweeper.production.model import export
from sweeper.production.train import DivergedError, TrainResult, train
from sweeper.trial import Report

Trained = tuple[TrainResult, Path]


def test_the_result_is_that_of_the_best_epoch(trained: Trained) -> None:
    """Metrics are those of the epoch with the lowest validation loss; every epoch is in the history."""
    result, _ = trained
    best = min(result.history, key=lambda report: report.metrics["val_loss"])
    assert (result.best_epoch, result.metrics) == (best.epoch, best.metrics)
    assert [report.epoch for report in result.history] == [1, 2, 3, 4]
    assert result.test is not None
    assert result.test.keys() == {"loss", "accuracy", "f1_macro", "auroc"}
    assert result.test["accuracy"] > 0.8


def test_the_output_folder_holds_the_model_and_nothing_else(trained: Trained, config: Config) -> None:
    """Four files, of which the config is the one that was trained."""
    result, out = trained
    assert result.model_dir == out / "model"
    assert [path.name for path in out.iterdir()] == ["model"]
    assert {path.name for path in (out / "model").iterdir()} == {
        "model.safetensors",
        "checkpoint.json",
        "config.yaml",
        "preprocessing.json",
    }
    assert load_config(out / "model" / "config.yaml") == config


def test_without_an_output_folder_nothing_is_kept(
    config: Config, data: Dataset, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers, no folder; the test part is not touched unasked."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    seen: list[Report] = []
    result = train(config, data=data, on_report=seen.append)
    assert result.model_dir is None
    assert result.test is None
    assert result.metrics["val_loss"] == trained[0].metrics["val_loss"]
    assert seen == result.history
    assert not list(tmp_path.iterdir())


def test_the_data_is_prepared_from_the_config(config: Config, trained: Trained) -> None:
    """A config alone is enough, and gives the same bits."""
    assert train(config).metrics["val_loss"] == trained[0].metrics["val_loss"]


@pytest.mark.parametrize(("change", "reproduced"), [(0.0, True), (1e-16, False)])
def test_provenance_tells_whether_the_value_came_out_again(
    config: Config, data: Dataset, trained: Trained, change: float, reproduced: bool
) -> None:
    """Bit for bit, not nearly; None where there is nothing to compare with."""
    value = math.nextafter(trained[0].metrics["val_loss"], math.inf) if change else trained[0].metrics["val_loss"]
    found = config.model_copy(update={"provenance": {"metric": "val_loss", "value": value}})
    assert train(found, data=data).reproduced is reproduced
    assert trained[0].reproduced is None


def test_a_trial_without_a_report_has_nothing_to_compare_with(config: Config, data: Dataset) -> None:
    """Its config can be trained all the same."""
    provenance = {"metric": "val_loss", "value": None, "best_epoch": None}
    assert train(config.model_copy(update={"provenance": provenance}), data=data).reproduced is None


def test_the_value_of_a_pruned_trial_comes_out_again_in_its_epoch(config: Config, data: Dataset, trained: Trained) -> None:
    """A job is not pruned and may be better later; what was recorded is compared where it was."""
    first = trained[0].history[0].metrics["val_loss"]
    assert first != trained[0].metrics["val_loss"]
    found = config.model_copy(update={"provenance": {"metric": "val_loss", "value": first, "best_epoch": 1}})
    result = train(found, data=data)
    assert result.reproduced is True
    assert (result.again["val_loss"], result.metrics["val_loss"]) == (first, trained[0].metrics["val_loss"])


def test_a_diverged_job_is_told_in_a_sentence_and_leaves_no_model(data: Dataset, tmp_path: Path) -> None:
    """It names the epoch, the numbers and the remedy; the exit code is that of a run without a result."""
    tree = {"name": "wild", "optimizer": {"name": "sgd", "lr": 1e30}, "training": {"clip_norm": None}}
    with pytest.raises(
        DivergedError, match=r"wild: training diverged in epoch 1: .*is nan.*; lower optimizer\.lr \(now 1e\+30\)"
    ) as caught:
        train(config_from_tree(tree), out=tmp_path, data=data)
    assert isinstance(caught.value, SweeperError)
    assert caught.value.exit_code == 3
    assert not list(tmp_path.iterdir())


def test_a_new_model_takes_the_old_ones_place(data: Dataset, trained: Trained, config: Config, tmp_path: Path) -> None:
    """Exporting again replaces the folder; a damaged checkpoint is refused and leaves the old model."""
    _, out = trained
    target = tmp_path / "model"
    for _ in range(2):
        export(out / "model", data, config, target)
    damaged = tmp_path / "damaged"
    checkpoint.save(damaged, checkpoint.load(out / "model"))
    meta = json.loads((damaged / "checkpoint.json").read_text())
    (damaged / "checkpoint.json").write_text(json.dumps({**meta, "sha256": "0" * 64}))
    with pytest.raises(InputError, match="damaged"):
        export(damaged, data, config, target)
    assert checkpoint.load(target).epoch == checkpoint.load(out / "model").epoch
