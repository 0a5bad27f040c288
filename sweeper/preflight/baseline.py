"""What a linear model reaches in a moment: a winner that does not beat it is said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.text import PADDING

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset, Part

ITERATIONS = 5000
MOST_ROWS, MOST_BYTES = 20_000, 64 * 2**20
"""Of streamed training rows that the model sees."""
RIDGE_ALPHAS = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A linear model's scores, with the names and definitions of the core's reports.

    Attributes:
        name: ``logistic regression`` or ``ridge regression``, for texts ``... on token counts``.
        val: ``val_loss``, ``val_accuracy``, ``val_f1_macro``, ``val_auroc``; or ``val_loss``, ``val_mae``, ``val_rmse``, ``val_r2``.
        test: the same for the test part, ``test_...``.
    """

    name: str
    val: dict[str, float]
    test: dict[str, float]


def baseline(data: Dataset, seed: int = 0) -> Baseline:
    """Fit a linear model to the training part and score it on the other two.

    Classification: L2-regularised logistic regression (C = 1); multilabel: one for each label; regression: ridge regression, its penalty
    picked on the training part by leave-one-out. Inputs are flattened and standardised per feature on the training part; of texts, how
    often each token stands in them, scaled but not shifted.

    Args:
        data: prepared data.
        seed: of the solver, where it draws at all.
    """
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.preprocessing import StandardScaler

    if data.task == "regression":
        name, model, y = "ridge regression", RidgeCV(RIDGE_ALPHAS), data.train.y.astype(np.float64)
    else:
        name, model, y = "logistic regression", LogisticRegression(max_iter=ITERATIONS, random_state=seed), data.train.y.astype(np.int64)
        model = _PerLabel(model) if data.task == "multilabel" else model
    scaler = StandardScaler(with_mean=not data.tokens)
    x, few = _some(data.train)
    model.fit(scaler.fit_transform(_features(x, data)), y if few is None else y[few])
    val, test = (_scores(model, scaler, part, data) for part in (data.val, data.test))
    name += " on token counts" if data.tokens else ""
    name += f" on {len(x)} rows" if len(x) < len(data.train) else ""
    return Baseline(name, {f"val_{key}": value for key, value in val.items()}, {f"test_{key}": value for key, value in test.items()})


class _PerLabel:
    """A copy of a classifier for each label; a label that all training rows have, or none, is given its share."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._fitted: list[Any] = []

    def fit(self, x: np.ndarray, y: np.ndarray) -> _PerLabel:
        """Fits to ``y`` [n, labels] of 0 and 1."""
        from sklearn.base import clone

        self._fitted = [clone(self._model).fit(x, label) if label.min() < label.max() else float(label[0]) for label in y.T]
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """The labels' probabilities [n, labels]."""
        columns = [np.full(x.shape[0], one) if isinstance(one, float) else one.predict_proba(x)[:, 1] for one in self._fitted]
        return np.column_stack(columns)


def _some(part: Part) -> tuple[np.ndarray, np.ndarray | None]:
    """The inputs of all rows; of streamed ones as many, at random, as a linear model needs and memory holds, and their numbers."""
    if isinstance(part.x, np.ndarray):
        return part.x, None
    number = max(1, min(len(part), MOST_ROWS, MOST_BYTES // part.x.row_bytes))
    few = np.sort(np.random.default_rng(0).permutation(len(part))[:number])
    return part.x[few], few


def _features(x: np.ndarray, data: Dataset) -> Any:
    """Inputs as float64 ``[n, features]``: flattened, or how often each token stands in a text (sparse)."""
    if not data.tokens:
        return x.reshape(len(x), -1).astype(np.float64)
    from sklearn.feature_extraction.text import CountVectorizer

    every = {token: token for token in range(data.tokens)}
    counter = CountVectorizer(analyzer=lambda row: row[row != PADDING].tolist(), vocabulary=every, dtype=np.float64)
    return counter.transform(x)


def _scores(model: Any, scaler: Any, part: Part, data: Dataset) -> dict[str, float]:
    """Loss and scores of a fitted model on the inputs of one part."""
    say = model.predict if data.task == "regression" else model.predict_proba
    pieces = [part.x] if isinstance(part.x, np.ndarray) else part.x.pieces()
    said = np.concatenate([say(scaler.transform(_features(piece, data))) for piece in pieces])
    if data.task == "classification":
        return _classification(said, part.y)
    if data.task == "multilabel":
        return _multilabel(said, part.y.astype(np.int64))
    return _regression(said, part.y.astype(np.float64), data.target_scale)


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


def _multilabel(probabilities: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Binary cross-entropy in nats, share of labels that are right, F1 over the labels that occur, AUROC over those that some rows have."""
    from sklearn.metrics import f1_score, roc_auc_score

    chosen = (probabilities > 0.5).astype(np.int64)
    certain = np.clip(probabilities, 1e-7, 1 - 1e-7)
    occurring = np.flatnonzero((y + chosen).any(0))
    scores = {
        "loss": float(-np.where(y == 1, np.log(certain), np.log1p(-certain)).mean()),
        "accuracy": float((chosen == y).mean()),
        "f1_macro": float(np.mean([f1_score(y[:, k], chosen[:, k], zero_division=0) for k in occurring])) if len(occurring) else 0.0,
    }
    varied = np.flatnonzero(y.min(0) < y.max(0))
    if len(varied):
        scores["auroc"] = float(np.mean([roc_auc_score(y[:, k], probabilities[:, k]) for k in varied]))
    return scores


def _regression(predicted: np.ndarray, y: np.ndarray, scale: float) -> dict[str, float]:
    """Mean squared error of the standardised target; absolute errors in the target's own unit; the share of explained variance."""
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    loss = float(mean_squared_error(y, predicted))
    mae = float(mean_absolute_error(y, predicted))
    return {"loss": loss, "mae": mae * scale, "rmse": loss**0.5 * scale, "r2": float(r2_score(y, predicted))}
