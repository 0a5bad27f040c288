"""What a linear model reaches in a moment: a winner that does not beat it is said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset, Part

ITERATIONS = 5000
RIDGE_ALPHAS = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A linear model's scores, with the names and definitions of the core's reports.

    Attributes:
        name: ``logistic regression`` or ``ridge regression``.
        val: ``val_loss``, ``val_accuracy``, ``val_f1_macro``, ``val_auroc``; or ``val_loss``, ``val_mae``, ``val_rmse``, ``val_r2``.
        test: the same for the test part, ``test_...``.
    """

    name: str
    val: dict[str, float]
    test: dict[str, float]


def baseline(data: Dataset, seed: int = 0) -> Baseline:
    """Fit a linear model to the training part and score it on the other two.

    Classification: L2-regularised logistic regression (C = 1); regression: ridge regression, its penalty picked on the training part by
    leave-one-out. Inputs are flattened and standardised per feature on the training part.

    Args:
        data: prepared data.
        seed: of the solver, where it draws at all.
    """
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if data.task == "classification":
        name, model = "logistic regression", LogisticRegression(max_iter=ITERATIONS, random_state=seed)
    else:
        name, model = "ridge regression", RidgeCV(RIDGE_ALPHAS)
    fitted = make_pipeline(StandardScaler(), model).fit(
        _flat(data.train), data.train.y.astype(np.float64 if data.outputs == 1 else np.int64)
    )
    val, test = (_scores(fitted, part, data) for part in (data.val, data.test))
    return Baseline(name, {f"val_{key}": value for key, value in val.items()}, {f"test_{key}": value for key, value in test.items()})


def _flat(part: Part) -> np.ndarray:
    """Inputs as float64 ``[n, features]``."""
    return part.x.reshape(len(part.x), -1).astype(np.float64)


def _scores(model: Any, part: Part, data: Dataset) -> dict[str, float]:
    """Loss and scores of a fitted model on one part."""
    if data.task == "classification":
        return _classification(model.predict_proba(_flat(part)), part.y)
    return _regression(model.predict(_flat(part)), part.y.astype(np.float64), data.target_scale)


def _classification(probabilities: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Cross-entropy in nats, accuracy, macro F1 over the classes that occur, and AUROC where every class has a row."""
    from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    scores = {
        "loss": float(log_loss(y, probabilities, labels=classes)),
        "accuracy": float(accuracy_score(y, predicted)),
        "f1_macro": float(f1_score(y, predicted, average="macro", zero_division=0)),
    }
    if len(np.unique(y)) == len(classes):
        certain = probabilities[:, 1] if len(classes) == 2 else probabilities
        scores["auroc"] = float(roc_auc_score(y, certain, multi_class="ovr", average="macro"))
    return scores


def _regression(predicted: np.ndarray, y: np.ndarray, scale: float) -> dict[str, float]:
    """Mean squared error of the standardised target; absolute errors in the target's own unit; the share of explained variance."""
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    loss = float(mean_squared_error(y, predicted))
    mae = float(mean_absolute_error(y, predicted))
    return {"loss": loss, "mae": mae * scale, "rmse": loss**0.5 * scale, "r2": float(r2_score(y, predicted))}
