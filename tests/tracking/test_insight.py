"""The pictures of a trained model: each drawn from plain data, for every task and for what is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sweeper.tracking.insight import classes_figure, monitor_figure, pictures, residuals_figure, wrong_figure
from sweeper.trial import Report

PNG = b"\x89PNG"


def reports(**more: float) -> list[Report]:
    """Three epochs."""
    metrics = {"train_loss": 1.0, "val_loss": 1.1, "lr": 0.01, "grad_norm": 2.0, **more}
    return [Report(0, epoch, {name: value / epoch for name, value in metrics.items()}, 0.0) for epoch in (1, 2, 3)]


def classes(labels: list[str]) -> list[dict[str, Any]]:
    """A table by class; the later the weaker."""
    return [{"label": label, "precision": 0.9, "recall": 0.5, "f1": 1 / (n + 1), "rows": 10} for n, label in enumerate(labels)]


IMAGES = {
    "task": "classification",
    "rows": 20,
    "labels": ["cat", "dog"],
    "classes": classes(["cat", "dog"]),
    "confusion": [[9, 1], [2, 8]],
    "wrong": [{"row": n, "true": "cat", "said": "dog", "probability": 0.9, "image": np.full((1, 4, 4), n).tolist()} for n in range(3)],
}
TABLE = {**IMAGES, "wrong": [{"row": 4, "true": "cat", "said": "dog", "probability": 0.9, "inputs": {"age": 2.1, "income": -1.0}}]}
WORDS = {**IMAGES, "wrong": [{"row": 4, "true": "cat", "said": "dog", "probability": 0.9, "tokens": [3, 1, 2]}]}
LABELS = {
    "task": "multilabel",
    "rows": 20,
    "classes": classes(["red", "large"]),
    "wrong": [{"row": 4, "label": "red", "true": True, "said": False, "probability": 0.1, "inputs": {"age": 2.1}}],
}
VALUES = {
    "task": "regression",
    "rows": 3,
    "target": "price",
    "points": [[1.0, 1.5], [2.0, 2.0], [3.0, 1.0]],
    "residuals": {"mean": -0.5, "std": 1.0},
    "wrong": [{"row": 2, "true": 3.0, "said": 1.0, "inputs": {"age": 2.1}}, {"row": 0, "true": 1.0, "said": 1.5, "inputs": {"age": 0.1}}],
}


@pytest.mark.parametrize(
    ("insight", "names"),
    [
        (IMAGES, ["monitor.png", "classes.png", "wrong.png"]),
        (TABLE, ["monitor.png", "classes.png", "wrong.png"]),
        (WORDS, ["monitor.png", "classes.png", "wrong.png"]),
        (LABELS, ["monitor.png", "classes.png", "wrong.png"]),
        (VALUES, ["monitor.png", "residuals.png", "wrong.png"]),
    ],
    ids=["images", "table", "words", "labels", "values"],
)
def test_every_task_has_its_pictures(insight: dict[str, Any], names: list[str]) -> None:
    """Drawn from what the file holds."""
    found = pictures(insight, reports(val_accuracy=0.9), best_epoch=2)
    assert list(found) == names
    assert all(content.startswith(PNG) for content in found.values())


def test_the_monitor_has_four_panels() -> None:
    """Loss, score, gradient norm and learning rate by epoch, with the best one marked; values that are not finite are left out."""
    told = [*reports(train_accuracy=0.8, val_accuracy=0.7), Report(0, 4, {"train_loss": math.nan, "val_loss": math.inf, "lr": 0.1}, 0.0)]
    panels = monitor_figure(told, best_epoch=3).axes
    assert [axes.get_title() for axes in panels] == ["loss", "accuracy", "gradient norm before clipping", "learning rate"]
    training, validation, best, *_ = panels[0].lines
    assert [list(line.get_xdata()) for line in (training, validation)] == [[1, 2, 3], [1, 2, 3]]
    assert list(best.get_xdata()) == [3, 3]
    assert [axes.get_title() for axes in monitor_figure(reports(val_r2=0.5), 1).axes][1] == "r2"


def test_many_classes_are_cut_to_the_weakest() -> None:
    """A hundred classes cannot be read; the matrix stays whole, without numbers."""
    labels = [f"class {n}" for n in range(100)]
    many = {**IMAGES, "labels": labels, "classes": classes(labels), "confusion": np.eye(100, dtype=int).tolist()}
    matrix, table = classes_figure(many).axes
    assert not matrix.texts
    names = [label.get_text() for label in table.get_yticklabels()]
    assert len(names) == 40
    assert names[0] == "class 99  (10)"
    assert table.get_title() == "the 40 weakest of 100"


def test_a_class_without_rows_is_drawn() -> None:
    """Its row of the matrix is empty, which is no division by zero."""
    assert classes_figure({**IMAGES, "confusion": [[9, 1], [0, 0]]}).axes[0].texts[0].get_text() == "9"


def test_residuals_are_told_in_numbers() -> None:
    """Predicted against true with the diagonal, and the rest."""
    against, left = residuals_figure(VALUES).axes
    assert against.get_xlabel() == "true price"
    assert left.get_title() == "residuals: mean -0.5, standard deviation 1"


def test_a_model_without_mistakes_says_so() -> None:
    """In a sentence, not as an empty picture."""
    figure = wrong_figure({**IMAGES, "wrong": []})
    assert figure.texts[0].get_text() == "none of the 20 validation rows is wrong"


def test_a_mistake_is_told_in_words() -> None:
    """Images by their titles, tables by their cells."""
    titles = [axes.get_title() for axes in wrong_figure(IMAGES).axes]
    assert titles[0] == "row 0: is cat\nsaid dog with 0.90"
    [axes] = wrong_figure(LABELS).axes
    [table] = axes.tables
    cells = {place: cell.get_text().get_text() for place, cell in table.get_celld().items()}
    assert [cells[1, column] for column in range(6)] == ["4", "red", "yes", "no", "0.100", "age +2.1"]
