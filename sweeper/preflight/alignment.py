"""Whether inputs and labels belong together: cheap models must do better than chance on rows that they have not seen."""

from __future__ import annotations

import numpy as np

from sweeper.data.dataset import Dataset, Part
from sweeper.preflight.features import is_tokens
from sweeper.preflight.finding import Finding, passed, warned

MOST_ROWS, MOST_FEATURES = 2000, 1024
"""Of what the cheap models see."""

TREES = 50

PERMUTATIONS = 999
"""Times the validation labels are shuffled, to see what chance gives."""

LEVEL = 0.01
"""Chance reaches the models' score less often than this, or they are said to be no better."""


def alignment(data: Dataset, seed: int = 0) -> Finding:
    """Compares a linear model and a few random trees with chance, by a permutation test on the validation part.

    The score is the covariance of predictions and targets (classes as indicators), so that one formula serves every task and an
    unbalanced one too. Shuffling the validation labels says what chance gives (Good, *Permutation, Parametric and Bootstrap Tests*, 2005).

    Args:
        data: prepared.
        seed: of the rows that are looked at, the trees and the permutations.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(seed)
    (x, y), (held, truth) = (_sample(part, data, rng) for part in (data.train, data.val))
    spread = x.std(0)
    x, held = ((one - x.mean(0)) / np.where(spread > 0, spread, 1.0) for one in (x, held))
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=2, max_features="sqrt", random_state=seed)
    best = 1.0
    shown = ""
    for name, model in (("a linear model", Ridge(1.0)), (f"{TREES} random trees", trees)):
        predicted = np.asarray(model.fit(x, y if y.shape[1] > 1 else y[:, 0]).predict(held)).reshape(len(held), -1)
        chance = _p_value(predicted, truth, rng)
        if chance < best or not shown:
            best, shown = chance, f"{name}: {_told(predicted, truth, y, data.task)}"
    if best <= LEVEL:
        return passed("labels fit inputs", shown)
    remedy = "check that inputs and labels were not shuffled apart, and that the inputs say anything about the target"
    return warned("labels fit inputs", f"no better than chance on {len(truth)} validation rows: {shown}", remedy, "data.source")


def _sample(part: Part, data: Dataset, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inputs ``[m, features]`` and targets ``[m, k]`` of some rows: classes as indicators."""
    rows = np.sort(rng.permutation(len(part))[:MOST_ROWS])
    x = part.x[rows].reshape(len(rows), -1)
    if is_tokens(x):
        bins = x % MOST_FEATURES
        x = np.zeros((len(rows), MOST_FEATURES))
        np.add.at(x, (np.arange(len(rows))[:, None], bins), 1.0)
        x[:, 0] = 0.0  # padding
    elif x.shape[1] > MOST_FEATURES:
        x = x[:, np.linspace(0, x.shape[1] - 1, MOST_FEATURES).astype(int)]
    y = part.y[rows]
    if data.task == "classification":
        return x.astype(np.float64), np.equal(y[:, None], np.arange(data.outputs)).astype(np.float64)
    return x.astype(np.float64), y.reshape(len(y), -1).astype(np.float64)


def _p_value(predicted: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> float:
    """How often shuffled targets agree as well with the predictions as the true ones."""
    centred = predicted - predicted.mean(0)
    reached = float((centred * truth).sum())
    by_chance = [float((centred * truth[rng.permutation(len(truth))]).sum()) for _ in range(PERMUTATIONS)]
    return (1 + sum(one >= reached for one in by_chance)) / (1 + PERMUTATIONS)


def _told(predicted: np.ndarray, truth: np.ndarray, y: np.ndarray, task: str) -> str:
    if task == "classification":
        right = (predicted.argmax(1) == truth.argmax(1)).mean()
        usual = truth[:, int(y.sum(0).argmax())].mean()
        return f"right on {right:.1%} of {len(truth)} validation rows, always naming the commonest class on {usual:.1%}"
    varied = (predicted.std(0) > 0) & (truth.std(0) > 0)
    each = [np.corrcoef(p, t)[0, 1] for p, t in zip(predicted[:, varied].T, truth[:, varied].T, strict=True)]
    return f"predictions for {len(truth)} validation rows, correlation {np.mean(each) if each else 0.0:.2f}"
