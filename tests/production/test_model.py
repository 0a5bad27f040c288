"""Trained models in production."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits

from sweeper.config.files import config_from_tree, tree_of
from sweeper.config.schema import Config
from sweeper.core.evaluate import outputs_of
from sweeper.core.loop import train as core_train
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InputError
from sweeper.production.model import evaluate_test, load_model
from sweeper.production.train import TrainResult, train
from sweeper.trial import Continue, Trial

Trained = tuple[TrainResult, Path]


def test_the_exported_model_gives_the_bits_of_the_one_in_memory(
    config: Config, data: Dataset, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits of the loaded model equal those of the core's model at the best epoch, bit for bit, in fp32."""
    from sweeper.core.stack.plain import PlainLane

    lanes: list[PlainLane] = []
    original = PlainLane.__init__

    def spy(self: PlainLane, *args: object) -> None:
        original(self, *args)  # type: ignore[arg-type]
        lanes.append(self)

    monkeypatch.setattr(PlainLane, "__init__", spy)
    training = core_train([Trial(0, config.training.seed, {}, tree_of(config), "")], data, device="cpu")
    next(training)
    for _ in range(trained[0].best_epoch - 1):
        training.send([Continue("to the best epoch")])
    expected = outputs_of(lanes[0].model, torch.as_tensor(data.test.x))
    found = load_model(trained[1])
    assert torch.equal(outputs_of(found.net, torch.as_tensor(data.test.x)), expected)
    x, _ = load_digits(return_X_y=True)
    assert found.outputs(x[:5]).dtype == np.float32


def test_labels_are_the_datas_own(trained: Trained) -> None:
    """Raw rows in, digits out; probabilities are a distribution whose largest is the label."""
    model = load_model(trained[1])
    x, y = load_digits(return_X_y=True)
    labels = model.predict(x)
    assert (labels == y).mean() > 0.85
    proba = model.predict_proba(x)
    assert proba.shape == (len(x), 10)
    assert proba.sum(1) == pytest.approx(np.ones(len(x)))
    assert np.array_equal(proba.argmax(1), labels)


def test_no_rows_give_no_labels(trained: Trained) -> None:
    """An empty batch is a batch."""
    model = load_model(trained[0].model_dir)
    assert model.predict(np.empty((0, 1, 8, 8))).shape == (0,)
    assert model.predict_proba(np.empty((0, 64))).shape == (0, 10)


def test_rows_are_independent(trained: Trained) -> None:
    """A row alone is what it is in a batch, though the model has batch norm."""
    model = load_model(trained[1])
    x, _ = load_digits(return_X_y=True)
    assert model.outputs(x[3:4]) == pytest.approx(model.outputs(x[:50])[3:4], abs=1e-5)


def test_a_regression_predicts_in_the_targets_unit(regression: tuple[TrainResult, Dataset]) -> None:
    """From a table by column names; probabilities are refused."""
    result, _ = regression
    assert result.model_dir is not None
    model = load_model(result.model_dir)
    table, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    assert isinstance(table, pd.DataFrame)
    found = model.predict(table)
    assert found.shape == (len(table),)
    assert np.abs(found - y).mean() < 60
    with pytest.raises(InputError, match="classification"):
        model.predict_proba(table)
    with pytest.raises(InputError, match="bmi"):
        model.predict(table.drop(columns="bmi"))


def test_the_test_part_is_scored_in_original_units(regression: tuple[TrainResult, Dataset], trained: Trained, data: Dataset) -> None:
    """Same numbers as the job's own test; a regression's error is that of its predictions."""
    result, prepared = regression
    assert result.model_dir is not None
    assert evaluate_test(trained[1], data) == trained[0].test
    found = evaluate_test(result.model_dir, prepared)
    model = load_model(result.model_dir)
    outputs = outputs_of(model.net, torch.as_tensor(prepared.test.x)).squeeze(1).numpy()
    assert found.keys() == {"loss", "mae", "rmse", "r2"}
    assert found["mae"] == pytest.approx(np.abs(outputs - prepared.test.y).mean() * prepared.target_scale, rel=1e-5)


def narrowed(meta: Path) -> None:
    """The config of another model beside these tensors."""
    tree = json.loads(meta.read_text())
    tree["config"]["model"]["width"] = 7
    meta.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no checkpoint here"),
        (lambda model: (model / "preprocessing.json").unlink(), "preprocessing.json is missing"),
        (lambda model: (model / "preprocessing.json").write_text("{"), "preprocessing.json  damaged"),
        (lambda model: (model / "model.safetensors").write_bytes(b"x"), "model.safetensors is damaged"),
        (lambda model: narrowed(model / "checkpoint.json"), "the tensors are not those of this config: .*export it again"),
    ],
)
def test_a_damaged_model_is_told_in_a_sentence(trained: Trained, tmp_path: Path, damage, said: str) -> None:
    """Whichever file is missing or broken."""
    shutil.copytree(trained[1] / "model", tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(InputError, match=said):
        load_model(tmp_path)


def test_several_labels_of_a_row(tmp_path: Path) -> None:
    """Each label is told as 0 or 1, with a probability of its own; the test part's scores are those of the predictions."""
    images, digits = load_digits(return_X_y=True)
    y = np.stack([digits % 2 == 1, digits > 4], 1)
    np.savez(tmp_path / "a.npz", x=images, y=y)
    tree = {
        "name": "labels",
        "task": "multilabel",
        "data": {"source": str(tmp_path / "a.npz")},
        "optimizer": {"name": "adamw", "lr": 0.01},
        "training": {"epochs": 3},
        "search": {"metric": "val_f1_macro"},
    }
    config = config_from_tree(tree)
    data = prepare(config.data, config.task)
    result = train(config, out=tmp_path / "job", data=data, evaluate_test=True)
    model = load_model(tmp_path / "job")
    labels, proba = model.predict(images), model.predict_proba(images)
    assert labels.shape == proba.shape == y.shape
    assert (labels == y).mean() > 0.9
    assert np.array_equal(labels, proba > 0.5)
    assert proba.sum(1).max() > 1.5
    assert result.test is not None
    assert result.test["accuracy"] == pytest.approx(
        ((outputs_of(model.net, torch.as_tensor(data.test.x)) > 0).numpy() == data.test.y).mean()
    )
    assert {"val_auroc", "train_accuracy"} - set(result.metrics) == {"val_auroc"}


def test_a_model_of_texts_takes_texts(tmp_path: Path) -> None:
    """Raw texts in, labels out, through the vocabulary that travels with the model."""
    tree = {
        "name": "texts",
        "data": {"source": "synthetic_text", "params": {"rows": 150}},
        "model": {"family": "rnn", "width": 8, "hidden": 8},
        "training": {"epochs": 1},
    }
    config = config_from_tree(tree)
    data = prepare(config.data, config.task)
    train(config, out=tmp_path / "job", data=data)
    model = load_model(tmp_path / "job")
    texts = ["the plot was not dull.", "", "words that nobody has seen"]
    assert set(model.predict(texts)) <= {"negative", "positive"}
    assert model.predict_proba(texts).sum(1) == pytest.approx(np.ones(3))
    assert model.outputs(texts[:1]) == pytest.approx(model.outputs(texts)[:1], abs=1e-6)
    with pytest.raises(InputError, match="one text"):
        model.predict(texts[0])
