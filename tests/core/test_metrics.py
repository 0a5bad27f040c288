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
@given(seeds, st.integers(1, 3), st.integers(2, 6), st.integers(1, 60))
def test_accuracy_and_macro_f1_are_scikit_learns(seed: int, lanes: int, classes: int, rows: int) -> None:
    """For every lane; also where classes are missing from the truth, from the guess or from both."""
    generator = np.random.default_rng(seed)
    guess, truth = generator.integers(classes, size=(lanes, rows)), generator.integers(max(1, classes - 1), size=rows)
    f1 = metrics.f1_macro(torch.as_tensor(guess), torch.as_tensor(truth), classes).tolist()
    assert f1 == pytest.approx([reference.f1_score(truth, one, average="macro", zero_division=0.0) for one in guess])
    accuracy = metrics.accuracy(torch.as_tensor(guess), torch.as_tensor(truth)).tolist()
    assert accuracy == pytest.approx([reference.accuracy_score(truth, one) for one in guess])


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(2, 5))
def test_scores_of_several_labels_are_scikit_learns(seed: int, lanes: int, labels: int) -> None:
    """F1 over the labels that occur, and the area under the curve over those that some rows have and some have not."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(lanes, 40, labels))
    truth = generator.integers(2, size=(40, labels))
    logits[..., -1], truth[:, -1] = -1.0, 0  # a label that does not occur
    f1 = metrics.f1_labels(torch.as_tensor(logits) > 0, torch.as_tensor(truth)).tolist()
    assert f1 == pytest.approx([reference.f1_score(truth, one > 0, average="macro", zero_division=np.nan) for one in logits])
    area = metrics.auroc_labels(torch.as_tensor(logits), torch.as_tensor(truth)).tolist()
    assert area == pytest.approx([reference.roc_auc_score(truth[:, :-1], one[:, :-1], average="macro") for one in logits])


def test_no_label_at_all_scores_nothing() -> None:
    """Where no row has a label, and none is predicted, F1 is 0 and there is no curve."""
    assert metrics.f1_labels(torch.zeros(1, 4, 2, dtype=torch.bool), torch.zeros(4, 2)).tolist() == [0.0]
    assert metrics.auroc_labels(torch.zeros(1, 4, 2), torch.zeros(4, 2)).isnan().tolist() == [True]


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(2, 4), st.booleans())
def test_auroc_is_scikit_learns(seed: int, classes: int, ties: bool) -> None:
    """Of two lanes, of two classes and of many, with and without tied scores."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(2, 80, classes))
    if ties:
        logits = logits.round()
    truth = np.concatenate([np.arange(classes), generator.integers(classes, size=80 - classes)])
    expected = [
        reference.roc_auc_score(truth, scores[:, 1]) if classes == 2 else reference.roc_auc_score(truth, scores, multi_class="ovr")
        for scores in torch.softmax(torch.as_tensor(logits), -1).numpy()
    ]
    assert metrics.auroc(torch.as_tensor(logits), torch.as_tensor(truth)).tolist() == pytest.approx(expected)


def test_auroc_leaves_out_classes_that_do_not_occur() -> None:
    """A class without rows has no curve; a single class has none at all."""
    logits, truth = torch.tensor([[[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [2.0, 0.0, 1.0]]]), torch.tensor([0, 1, 0])
    assert metrics.auroc(logits, truth).tolist() == [1.0]
    assert metrics.auroc(logits[..., :2], torch.zeros(3, dtype=torch.int64)).isnan().tolist() == [True]


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(2, 50))
def test_errors_and_r2_are_scikit_learns(seed: int, lanes: int, rows: int) -> None:
    """Of float32 arrays, computed in float64, for every lane."""
    generator = np.random.default_rng(seed)
    values, truth = generator.normal(size=(lanes, rows)).astype(np.float32), generator.normal(size=rows).astype(np.float32)
    tensors = torch.as_tensor(values), torch.as_tensor(truth)
    for score, theirs in (
        (metrics.mae, reference.mean_absolute_error),
        (metrics.rmse, reference.root_mean_squared_error),
        (metrics.r2, reference.r2_score),
    ):
        assert score(*tensors).tolist() == pytest.approx([theirs(truth, one) for one in values], rel=1e-5, abs=1e-5)


def test_r2_of_a_constant_target_is_scikit_learns() -> None:
    """1 for the lane that hits it, 0 for the one that does not; never infinite."""
    values, truth = torch.tensor([[2.0, 2.0], [2.0, 3.0]]), torch.tensor([2.0, 2.0])
    assert metrics.r2(values, truth).tolist() == [reference.r2_score(truth, one) for one in values] == [1.0, 0.0]


def test_nan_outputs_give_nan_errors_to_their_lane_alone() -> None:
    """A broken model does not get a number, and its neighbour keeps its own."""
    values, truth = torch.tensor([[torch.nan, 1.0], [1.0, 1.0], [torch.inf, 1.0]]), torch.tensor([1.0, 1.0])
    for score in (metrics.mae, metrics.rmse, metrics.r2):
        found = score(values, truth)
        assert found[0].isnan()
        assert found[1].isfinite()
        assert not found[2].isfinite()
