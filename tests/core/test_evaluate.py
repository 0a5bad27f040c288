"""The task's loss and its scores on a part of the data."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.core import evaluate
from sweeper.core.batches import Resident, Rows
from sweeper.core.stack import fused
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.plain import PlainStack
from sweeper.data.dataset import Dataset
from tests.core.driving import cut


def test_the_loss_is_weighted_by_samples_not_by_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven rows in chunks of three, three and one give the mean over seven rows."""
    monkeypatch.setattr(evaluate, "CHUNK_BYTES", 3 * 4 * 4)
    net = nn.Linear(4, 3)
    rows = Rows(torch.randn(7, 4), torch.tensor([0, 1, 2, 0, 1, 2, 2]))
    found = evaluate.evaluate(net, rows, "classification")
    expected = functional.cross_entropy(net(rows.x), rows.y, reduction="none").mean()
    assert found["loss"] == pytest.approx(expected.item(), rel=1e-6)


def test_evaluation_is_in_evaluation_mode_and_leaves_the_model_as_it_was() -> None:
    """Dropout is off and batch statistics do not move; a model in training is in training afterwards."""
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.9), nn.Linear(8, 3)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    rows = Rows(torch.randn(7, 4), torch.zeros(7, dtype=torch.int64))
    assert evaluate.evaluate(net, rows, "classification") == evaluate.evaluate(net, rows, "classification")
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_no_rows_have_no_outputs() -> None:
    """An empty batch gives an empty result of the right width."""
    assert evaluate.outputs_of(nn.Linear(4, 3), torch.empty(0, 4)).shape == (0, 3)


def test_regression_scores_are_in_the_targets_own_units() -> None:
    """The loss stays standardised; absolute errors are scaled back."""
    rows = Rows(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 4.0]))
    found = evaluate.evaluate(nn.Identity(), rows, "regression", target_scale=10.0)
    assert found == pytest.approx({"loss": 2.5, "mae": 15.0, "rmse": 10 * 2.5**0.5, "r2": 1 - 5 / 8})


def test_smoothing_is_torchs() -> None:
    """Smoothing 0.1 of two classes means targets 0.05 and 0.95."""
    logits = torch.tensor([[0.3, -0.2]])
    log = logits.log_softmax(1)[0]
    found = evaluate.task_loss(logits, torch.tensor([1]), "classification", 0.1)
    assert found.item() == pytest.approx((-0.05 * log[0] - 0.95 * log[1]).item())


def test_several_labels_are_judged_one_by_one() -> None:
    """The loss is the mean over labels and rows, accuracy the share of labels that are right, for the mean loss and for lanes alike."""
    logits = torch.tensor([[2.0, -1.0, 0.5], [-0.3, 0.2, -4.0]])
    y = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    expected = functional.binary_cross_entropy(logits.sigmoid(), y)
    assert evaluate.task_loss(logits, y, "multilabel").item() == pytest.approx(expected.item())
    both = evaluate.lane_losses(torch.stack([logits, 2 * logits]), torch.stack([y, y]), "multilabel")
    assert both[0].item() == pytest.approx(expected.item())
    assert both[1].item() == pytest.approx(functional.binary_cross_entropy((2 * logits).sigmoid(), y).item())
    found = evaluate.evaluate(nn.Identity(), Rows(logits, y), "multilabel", auroc=True)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 1.0 + 0.0) / 3)
    assert set(found) == {"loss", "accuracy", "f1_macro", "auroc"}
    assert evaluate.hits(logits, y, "multilabel").item() == pytest.approx(4 / 3)


def test_weights_of_rows_reach_every_label() -> None:
    """A row of weight 0 counts nothing, and the mean is over all rows."""
    logits, y = torch.tensor([[[2.0, -1.0], [0.5, 0.3]]]), torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    found = evaluate.lane_losses(logits, y, "multilabel", None, torch.tensor([[0.0, 2.0]]))
    assert found.item() == pytest.approx(functional.binary_cross_entropy_with_logits(logits[0, 1], y[0, 1]).item())


@pytest.mark.parametrize("engine", [PlainStack, FusedStack])
def test_validation_loss_is_averaged_over_samples_not_batches(
    digits: Dataset, make_trial: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """61 rows in pieces of 32 and 29 give the loss of all at once; a mean of the pieces' means would not."""
    data = Resident.of(cut(digits, 100, 61), torch.device("cpu"))
    whole = engine([make_trial()], data).run_epoch()[0]["val_loss"]
    for module in (evaluate, fused):
        monkeypatch.setattr(module, "CHUNK_BYTES", 32 * 64 * 4)
    assert engine([make_trial()], data).run_epoch()[0]["val_loss"] == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_the_loss_of_a_blend_is_the_blend_of_the_losses(task: str) -> None:
    """``share * loss(y) + (1 - share) * loss(other)``, for every task, as the mixup paper says."""
    outputs = torch.randn(6, 1 if task == "regression" else 3, generator=torch.Generator().manual_seed(0))
    targets = {
        "classification": (torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([1, 1, 0, 0, 2, 2])),
        "regression": (torch.arange(6.0), torch.arange(6.0).flip(0)),
        "multilabel": (torch.eye(3).repeat(2, 1), torch.ones(6, 3)),
    }
    y, other = targets[task]
    share = torch.full((6,), 0.7)
    found = evaluate.training_loss(outputs, Rows(outputs, y, share, other, 1 - share), task, 0.0)
    expected = 0.7 * evaluate.task_loss(outputs, y, task) + 0.3 * evaluate.task_loss(outputs, other, task)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_weighted_rows_are_a_mean_over_rows() -> None:
    """Each row's smoothed loss times its weight; the sum is divided by the rows, not by the weights, so that batches add up."""
    outputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    y, weight = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([2.0, 0.5, 1.0, 2.0, 0.5, 1.0])
    found = evaluate.training_loss(outputs, Rows(outputs, y, weight), "classification", 0.1)
    expected = (functional.cross_entropy(outputs, y, reduction="none", label_smoothing=0.1) * weight).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("rows", ["plain", "weighted", "mixed"])
@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_the_losses_gradient_is_autograds(task: str, rows: str) -> None:
    """What the stack writes out by hand, with smoothing, weights and second targets."""
    torch.manual_seed(0)
    outputs = torch.randn(2, 5, 1 if task == "regression" else 3, requires_grad=True)

    def targets() -> torch.Tensor:
        if task == "classification":
            return torch.randint(0, 3, (2, 5))
        return torch.randn(2, 5) if task == "regression" else torch.randint(0, 2, (2, 5, 3)).float()

    weight = None if rows == "plain" else torch.rand(2, 5)
    other, other_weight = (targets(), torch.rand(2, 5)) if rows == "mixed" else (None, None)
    arguments = (targets(), task, torch.tensor([0.0, 0.2]), weight, other, other_weight)
    (expected,) = torch.autograd.grad(evaluate.lane_losses(outputs, *arguments).sum(), outputs)
    found = evaluate.lane_gradients(outputs, *arguments)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
