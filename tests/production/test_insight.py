"""What is seen of a trained model on the validation part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Config
from sweeper.data.dataset import Dataset, Part
from sweeper.production import insight
from sweeper.production.insight import insight_of
from sweeper.production.model import evaluate_on
from sweeper.production.train import TrainResult, train

Trained = tuple[TrainResult, Path]


@pytest.fixture(scope="module")
def digits(trained: Trained, data: Dataset) -> dict[str, Any]:
    """Of a classifier of images; as it comes back from its file."""
    found: dict[str, Any] = json.loads(json.dumps(insight_of(trained[1] / "model", data)))
    return found


def test_the_table_and_the_matrix_are_those_of_the_scores(digits: dict[str, Any], trained: Trained, data: Dataset) -> None:
    """Counts by class add up to the accuracy and the macro F1 that training reported."""
    counts = np.array(digits["confusion"])
    scores = evaluate_on(trained[1] / "model", data.val, data)
    assert counts.sum() == digits["rows"] == len(data.val)
    assert counts.trace() / counts.sum() == pytest.approx(scores["accuracy"])
    assert np.mean([row["f1"] for row in digits["classes"]]) == pytest.approx(scores["f1_macro"])
    for number, row in enumerate(digits["classes"]):
        assert row["label"] == str(number)
        assert row["rows"] == counts[number].sum()
        assert row["recall"] == pytest.approx(counts[number, number] / counts[number].sum())


def test_the_worst_rows_are_wrong_and_the_surest_comes_first(digits: dict[str, Any], data: Dataset) -> None:
    """Each with its own image, and no row that is right."""
    wrong = digits["wrong"]
    assert 0 < len(wrong) <= insight.WORST
    chances = [row["probability"] for row in wrong]
    assert chances == sorted(chances, reverse=True)
    for row in wrong:
        assert row["true"] == str(data.val.y[row["row"]]) != row["said"]
        assert np.array(row["image"]) == pytest.approx(data.val.x[row["row"]], abs=1e-3)


def test_layers_come_in_the_order_of_the_model(digits: dict[str, Any], config: Config) -> None:
    """Weights with their gradient, then activations with their share of dead units."""
    names = [layer["name"] for layer in digits["layers"]]
    assert names == ["hidden.1.weight", "hidden.5.weight", "output.weight", "activation 1", "activation 2"]
    assert digits["layers"][0]["shape"] == [config.model.width, 64]  # type: ignore[union-attr]
    assert all(layer["grad_mean_abs"] > 0 for layer in digits["layers"][:3])
    assert all(0 <= layer["dead_units"] < 1 for layer in digits["layers"][3:])


def test_a_regressions_errors_are_in_the_targets_unit(regression: tuple[TrainResult, Dataset]) -> None:
    """The points give the root mean squared error that training reported; the worst rows come first, with the columns' names."""
    result, data = regression
    assert result.model_dir is not None
    found = json.loads(json.dumps(insight_of(result.model_dir, data)))
    true, said = np.array(found["points"]).T
    assert np.sqrt(np.mean((said - true) ** 2)) == pytest.approx(result.metrics["val_rmse"], rel=1e-4)
    errors = [abs(row["said"] - row["true"]) for row in found["wrong"]]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(np.abs(said - true).max())
    assert set(found["wrong"][0]["inputs"]) <= set(data.preprocessing.columns)


def test_labels_are_told_one_by_one(data: Dataset, tmp_path: Path) -> None:
    """Of several labels per row: precision and recall of each, and the labels that are most surely wrong."""

    def even_and_large(part: Part) -> Part:
        return Part(part.x, np.stack([part.y % 2 == 0, part.y > 4], 1).astype(np.float32))

    several = replace(
        data,
        train=even_and_large(data.train),
        val=even_and_large(data.val),
        test=even_and_large(data.test),
        task="multilabel",
        outputs=2,
        labels=("even", "large"),
    )
    tree = {"name": "labels", "task": "multilabel", "model": {"family": "mlp", "width": 16}, "training": {"epochs": 2}}
    train(config_from_tree(tree), out=tmp_path, data=several)
    found = json.loads(json.dumps(insight_of(tmp_path / "model", several)))
    assert [row["label"] for row in found["classes"]] == ["even", "large"]
    assert [row["rows"] for row in found["classes"]] == several.val.y.sum(0).tolist()
    for row in found["wrong"]:
        place = ("even", "large").index(row["label"])
        assert row["true"] == bool(several.val.y[row["row"], place]) != row["said"] == (row["probability"] > 0.5)
    assert "confusion" not in found


def test_a_row_is_shown_as_what_it_is(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images are thinned out, tokens come without their padding, inputs begin with the farthest, series are not shown."""
    x = np.zeros((1, 3, 130, 65), np.float32)
    image = insight._shown(replace(data, val=Part(x, np.zeros(1, np.int64))), 0)["image"]
    assert np.array(image).shape == (3, 44, 22)
    tokens = np.array([[5, 2, 0, 0]])
    assert insight._shown(replace(data, val=Part(tokens, np.zeros(1, np.int64)), tokens=9), 0) == {"tokens": [5, 2]}
    inputs = np.array([[0.5, -3.0, 1.0]], np.float32)
    shown = insight._shown(replace(data, val=Part(inputs, np.zeros(1, np.int64))), 0)
    assert list(shown["inputs"].items()) == [("input 1", -3.0), ("input 2", 1.0), ("input 0", 0.5)]
    assert insight._shown(replace(data, val=Part(np.zeros((1, 4, 2)), np.zeros(1, np.int64))), 0) == {}


def test_looking_leaves_the_model_as_it_is(trained: Trained, data: Dataset) -> None:
    """Twice the same, and no thread count or gradient mode is left behind."""
    enabled = torch.is_grad_enabled()
    assert insight_of(trained[1] / "model", data) == insight_of(trained[1] / "model", data)
    assert torch.is_grad_enabled() is enabled
