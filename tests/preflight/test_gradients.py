"""Broken models, and the row that tells what is wrong with their gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.schema import Cnn, Config, Mlp
from sweeper.core.batches import Resident, Rows
from sweeper.core.stack.plain import PlainStack
from sweeper.data.dataset import Dataset
from sweeper.preflight.finding import Status
from sweeper.preflight.gradients import gradient_check, gradient_flow, zero_init
from sweeper.preflight.lesson import trial_of
from sweeper.preflight.model import some

FEATURES, CLASSES = 6, 3


class Net(nn.Module):
    """Two hidden layers, with a gap where a test puts something wrong."""

    def __init__(self, gap: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(FEATURES, 16)
        self.gap = gap or nn.Identity()
        self.second = nn.Linear(16, 16)
        self.output = nn.Linear(16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.output(torch.relu(self.second(self.gap(torch.relu(self.first(x))))))


@pytest.fixture
def rows(resident: Resident) -> Rows:
    """32 rows of three classes."""
    return some(resident, 32)


@pytest.mark.parametrize("model", [Mlp(), Mlp(norm="batch", dropout=0.5, activation="gelu"), Cnn(channels=4, dropout=0.3)])
def test_shipped_models_pass(model: Mlp | Cnn, digits: Dataset) -> None:
    """What the families build has gradients everywhere, right to 1e-5, and no equal neurons."""
    data = Resident.of(digits, torch.device("cpu"))
    fresh = PlainStack([trial_of(Config(name="sound", model=model))], data).lane(0).model
    batch = some(data, 64)
    found = [
        gradient_flow(fresh, batch, "classification"),
        zero_init(fresh, batch, "classification"),
        gradient_check(fresh, some(data, 8)),
    ]
    assert [one for one in found if one.status is not Status.PASS] == []


class Cut(nn.Module):
    """Loses the gradient on the way."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The values alone."""
        return x.detach()


class Dead(nn.Module):
    """Units that never fire."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zero, and so is its derivative."""
        return torch.relu(-x - 1)


class Root(nn.Module):
    """A distance whose derivative at zero is no number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x, and the root of zero."""
        return x + torch.sqrt((x - x) ** 2)


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        (Cut(), "does not depend on first.weight, first.bias"),
        (Dead(), "the gradient of first.weight, first.bias"),
        (Root(), "NaN or infinite gradients in first.weight, first.bias"),
    ],
    ids=["none", "zero", "not a number"],
)
def test_a_layer_without_gradient(gap: nn.Module, told: str, rows: Rows) -> None:
    """A missing, a zero and a broken gradient fail with the names of the tensors."""
    found = gradient_flow(Net(gap), rows, "classification")
    assert found.status is Status.FAIL
    assert told in found.sentence


def test_a_layer_that_is_never_called(rows: Rows) -> None:
    """A forgotten layer is named; a frozen one is meant, and only counted."""
    model = Net()
    model.forgotten = nn.Linear(4, 4)
    assert "forgotten.weight" in gradient_flow(model, rows, "classification").sentence
    model.forgotten.requires_grad_(requires_grad=False)
    found = gradient_flow(model, rows, "classification")
    assert (found.status, "2 are frozen" in found.sentence) == (Status.PASS, True)


def test_nothing_to_train(rows: Rows) -> None:
    """A model without a single trained parameter fails."""
    assert gradient_flow(Net().requires_grad_(requires_grad=False), rows, "classification").status is Status.FAIL


def test_an_output_layer_of_zeros_is_alive(rows: Rows) -> None:
    """The layers before it get no gradient at first, and one after a step."""
    model = Net()
    nn.init.zeros_(model.output.weight)
    assert gradient_flow(model, rows, "classification").status is Status.PASS
    assert zero_init(model, rows, "classification").status is Status.PASS


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_the_zero_init_trap(value: float, rows: Rows) -> None:
    """Weights that are all zero, or all the same number, make every layer one neuron."""
    model = Net()
    for parameter in model.parameters():
        nn.init.constant_(parameter, value if parameter.ndim > 1 else 0.0)
    found = zero_init(model, rows, "classification")
    assert found.status is Status.FAIL
    assert "first.weight" in found.sentence
    assert "second.weight" in found.sentence


def test_equal_neurons_that_part_are_no_trap(rows: Rows) -> None:
    """A layer of equal weights between random ones gets different gradients."""
    model = Net()
    nn.init.constant_(model.second.weight, 0.1)
    assert zero_init(model, rows, "classification").status is Status.PASS


class Wrong(torch.autograd.Function):
    """A square whose hand-written backward forgets the factor 2."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """The square."""
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """Should be twice as much."""
        (x,) = ctx.saved_tensors
        return gradient * x


class Square(nn.Module):
    """Uses the wrong function."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The square."""
        return Wrong.apply(x)


class Half(nn.Module):
    """Half of the signal passes without its gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input."""
        return x / 2 + (x / 2).detach()


@pytest.mark.parametrize("gap", [Square(), Half()], ids=["backward", "detach"])
def test_wrong_gradients(gap: nn.Module, rows: Rows) -> None:
    """Differences tell a wrong backward function and a partial detach, and which tensors suffer."""
    found = gradient_check(Net(gap), rows)
    assert found.status is Status.FAIL
    assert "first.weight" in found.sentence
    assert "output.weight" not in found.sentence


def test_kinks_and_noise_are_no_wrong_gradients(rows: Rows) -> None:
    """Zero inputs under zero biases stand on a kink of every ReLU, and dropout draws: the check is not deceived."""
    model = Net(nn.Dropout(0.5))
    nn.init.zeros_(model.first.bias)
    blank = Rows(torch.zeros_like(rows.x), rows.y)
    assert gradient_check(model, blank).status is Status.PASS
    assert gradient_check(model, rows).status is Status.PASS


class Narrow(nn.Module):
    """Computes in half the digits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """fp32 whatever comes in."""
        return x.float()


def test_a_model_that_leaves_float64(rows: Rows) -> None:
    """Differences of rounded values say nothing: that is told, not a failure."""
    found = gradient_check(nn.Sequential(nn.Linear(FEATURES, CLASSES), Narrow()), rows)
    assert found.status is Status.WARN
    assert "float32" in found.sentence
