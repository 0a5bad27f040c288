"""Scores against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from sweeper.core import metrics

seeds = st.integers(0, 10_000)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 6), st.integers(1, 60))
def test_accuracy_and_macro_f1_are_scikit_learns(seed: int, classes: int, rows: int) -> None:
    """Also where classes are missing from the truth, from the guess or from both."""
    generator = np.random.default_rng(seed)
    guess, truth = generator.integers(classes, size=rows), generator.integers(max(1, classes - 1), size=rows)
    mine = metrics.f1_macro(torch.as_tensor(guess), torch.as_tensor(truth), classes).item()
    assert mine == pytest.approx(reference.f1_score(truth, guess, average="macro", zero_division=0.0))
    assert metrics.accuracy(torch.as_tensor(guess), torch.as_tensor(truth)).item() == pytest.approx(reference.accuracy_score(truth, guess))


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 4), st.booleans())
def test_auroc_is_scikit_learns(seed: int, classes: int, ties: bool) -> None:
    """Of two classes and of many, with and without tied scores."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(80, classes))
    if ties:
        logits = logits.round()
    truth = np.concatenate([np.arange(classes), generator.integers(classes, size=80 - classes)])
    scores = torch.softmax(torch.as_tensor(logits), 1).numpy()
    expected = reference.roc_auc_score(truth, scores[:, 1]) if classes == 2 else reference.roc_auc_score(truth, scores, multi_class="ovr")
    assert metrics.auroc(torch.as_tensor(logits), torch.as_tensor(truth)).item() == pytest.approx(expected)


def test_auroc_leaves_out_classes_that_do_not_occur() -> None:
    """A class without rows has no curve; a single class has none at all."""
    logits, truth = torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [2.0, 0.0, 1.0]]), torch.tensor([0, 1, 0])
    assert metrics.auroc(logits, truth).item() == 1.0
    assert metrics.auroc(logits[:, :2], torch.zeros(3, dtype=torch.int64)).isnan()


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 50))
def test_errors_and_r2_are_scikit_learns(seed: int, rows: int) -> None:
    """Of float32 arrays, computed in float64."""
    generator = np.random.default_rng(seed)
    values, truth = generator.normal(size=(2, rows)).astype(np.float32)
    tensors = torch.as_tensor(values), torch.as_tensor(truth)
    assert metrics.mae(*tensors).item() == pytest.approx(reference.mean_absolute_error(truth, values), rel=1e-5)
    assert metrics.rmse(*tensors).item() == pytest.approx(reference.root_mean_squared_error(truth, values), rel=1e-5)
    assert metrics.r2(*tensors).item() == pytest.approx(reference.r2_score(truth, values), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("values", [[2.0, 2.0], [2.0, 3.0]])
def test_r2_of_a_constant_target_is_scikit_learns(values: list[float]) -> None:
    """1 when it is hit, else 0; never infinite."""
    assert metrics.r2(torch.tensor(values), torch.tensor([2.0, 2.0])).item() == reference.r2_score([2.0, 2.0], values)


def test_nan_outputs_give_nan_errors() -> None:
    """A broken model does not get a number."""
    broken, truth = torch.tensor([torch.nan, 1.0]), torch.tensor([1.0, 1.0])
    assert all(score(broken, truth).isnan() for score in (metrics.mae, metrics.rmse, metrics.r2))
