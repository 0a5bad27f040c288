"""Broken models, and the row that tells what is wrong with their outputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.config.schema import Cnn, Config, Mlp
from sweeper.core.batches import Resident, Rows
from sweeper.core.dropout import Dropout
from sweeper.core.stack.plain import PlainStack
from sweeper.data.dataset import Dataset
from sweeper.preflight.finding import Status
from sweeper.preflight.forward import dropout_on_outputs, initial_loss, rows_independent, softmax_before_loss, uses_input
from sweeper.preflight.lesson import trial_of
from sweeper.preflight.model import some

FEATURES, CLASSES = 6, 3


def net(*behind: nn.Module, before: nn.Module | None = None) -> nn.Sequential:
    """A sound classifier with a small output layer, and what else a test puts before or behind it."""
    torch.manual_seed(0)
    output = nn.Linear(32, CLASSES)
    nn.init.normal_(output.weight, std=0.01)
    nn.init.zeros_(output.bias)
    return nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), before or nn.Identity(), output, *behind)


@pytest.fixture
def rows(resident: Resident) -> Rows:
    """32 rows of three classes."""
    return some(resident, 32)


@pytest.mark.parametrize(
    "model", [Mlp(norm="batch", dropout=0.5), Mlp(depth=1, dropout=0.1), Cnn(channels=4, dropout=0.3), Mlp(activation="tanh")]
)
def test_shipped_models_pass(model: Mlp | Cnn, digits: Dataset) -> None:
    """What the families build is sound by every check of the forward pass."""
    data = Resident.of(digits, torch.device("cpu"))
    fresh = PlainStack([trial_of(Config(name="sound", model=model))], data).lane(0).model
    batch = some(data, 64)
    found = [
        initial_loss(fresh, some(data, 512), "classification", 10),
        uses_input(fresh, batch, "classification"),
        rows_independent(fresh, batch),
        dropout_on_outputs(fresh, batch),
        softmax_before_loss(fresh, batch, "classification"),
    ]
    assert [one for one in found if one.status is not Status.PASS] == []


def test_initial_loss(rows: Rows) -> None:
    """A small head starts at ln(3); one of PyTorch's own size times ten does not, and that warns; NaN fails."""
    found = initial_loss(net(), rows, "classification", CLASSES)
    assert (found.status, "ln(3) = 1.099" in found.sentence) == (Status.PASS, True)
    loud = net()
    nn.init.normal_(loud[3].weight, std=1.0)
    assert initial_loss(loud, rows, "classification", CLASSES).status is Status.WARN
    nn.init.constant_(loud[3].bias, torch.nan)
    assert initial_loss(loud, rows, "classification", CLASSES).status is Status.FAIL


def test_initial_loss_of_the_other_tasks(rows: Rows) -> None:
    """A regression starts at the target's variance, several labels at ln(2) each."""
    zero = nn.Linear(FEATURES, 1)
    nn.init.zeros_(zero.weight)
    nn.init.zeros_(zero.bias)
    y = torch.randn(32, generator=torch.Generator().manual_seed(0))
    y = (y - y.mean()) / y.std(correction=0) * 3
    found = initial_loss(zero, Rows(rows.x, y), "regression", 1)
    assert (found.status, "9.000 before training" in found.sentence) == (Status.PASS, True)
    nn.init.constant_(zero.bias, 2.0)
    assert initial_loss(zero, Rows(rows.x, y), "regression", 1).status is Status.WARN
    labels = (torch.arange(32).unsqueeze(1) % torch.tensor([2, 3, 4]) == 0).float()
    assert "ln(2)" in initial_loss(net(), Rows(rows.x, labels), "multilabel", CLASSES).sentence


def test_outputs_of_a_wrong_shape(rows: Rows) -> None:
    """Three outputs where ten are needed fail before any loss is computed."""
    found = initial_loss(net(), rows, "classification", 10)
    assert found.status is Status.FAIL
    assert "[32, 3], and the task needs [32, 10]" in found.sentence


def test_softmax_before_cross_entropy(rows: Rows) -> None:
    """Probabilities as outputs fail; raw scores, log-probabilities and small outputs that lie between 0 and 1 by chance pass."""
    found = softmax_before_loss(net(nn.Softmax(1)), rows, "classification")
    assert (found.status, found.remedy) == (Status.FAIL, "remove the softmax at the model's end")
    assert softmax_before_loss(net(nn.LogSoftmax(1)), rows, "classification").status is Status.PASS
    lucky = net()
    nn.init.constant_(lucky[3].bias, 1 / 3)
    assert bool(((lucky(rows.x) > 0) & (lucky(rows.x) < 1)).all())
    assert softmax_before_loss(lucky, rows, "classification").status is Status.PASS


def test_sigmoid_before_the_loss_of_labels(rows: Rows) -> None:
    """The same for several labels; for a regression any outputs are right."""
    assert softmax_before_loss(net(nn.Sigmoid()), rows, "multilabel").status is Status.FAIL
    assert softmax_before_loss(net(), rows, "multilabel").status is Status.PASS
    assert softmax_before_loss(net(nn.Sigmoid()), rows, "regression").status is Status.PASS


class Always(nn.Module):
    """Dropout in one line of forward."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drops a tenth in training."""
        return functional.dropout(x, 0.1, self.training)


@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.5), nn.Dropout(0.0), Dropout(0.2), Always()], ids=["half", "switched off", "own", "function"]
)
def test_dropout_on_the_outputs(layer: nn.Module, rows: Rows) -> None:
    """Dropout behind the output layer fails, as a module, as a function, and where the default probability is 0."""
    found = dropout_on_outputs(net(layer), rows)
    assert found.status is Status.FAIL
    assert "to zero" in found.sentence


def test_dropout_of_hidden_units_passes(rows: Rows) -> None:
    """Also where all four hidden units of a row are dropped now and then, and its output is the bias: zero."""
    assert dropout_on_outputs(net(before=nn.Dropout(0.5)), rows).status is Status.PASS
    narrow = nn.Sequential(nn.Linear(FEATURES, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, CLASSES))
    nn.init.zeros_(narrow[3].bias)
    assert dropout_on_outputs(narrow, rows).status is Status.PASS


class Deaf(nn.Module):
    """Has layers and calls them, on something else than its input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same for every row."""
        return self.layer(torch.ones_like(x))


def test_a_model_that_ignores_its_input(rows: Rows) -> None:
    """One output for all rows fails; an output layer of zeros, which learns, passes."""
    found = uses_input(Deaf(), rows, "classification")
    assert found.status is Status.FAIL
    assert "all get the same output" in found.sentence
    silent = net()
    nn.init.zeros_(silent[3].weight)
    assert uses_input(silent, rows, "classification").status is Status.PASS


class Centred(nn.Module):
    """Subtracts the batch's mean."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mixes rows."""
        return x - x.mean(0)


class Noisy(nn.Module):
    """Dropout that is never switched off."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drops half."""
        return functional.dropout(x, 0.5)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nn.BatchNorm1d(32, track_running_stats=False), "single row fails"),
        (Centred(), "off by"),
        (nn.Softmax(0), "off by"),
        (Noisy(), "in the same batch again"),
    ],
    ids=["batch norm of the batch", "centred", "softmax over rows", "noise"],
)
def test_rows_that_are_not_independent(layer: nn.Module, told: str, rows: Rows) -> None:
    """Statistics over rows in evaluation, a sum over the wrong axis and noise that stays on fail."""
    found = rows_independent(net(before=layer), rows)
    assert found.status is Status.FAIL
    assert told in found.sentence


def test_batch_norm_with_running_statistics_is_independent(rows: Rows) -> None:
    """Nor do layer norm and dropout mix rows in evaluation."""
    for layer in (nn.BatchNorm1d(32), nn.LayerNorm(32), nn.Dropout(0.5)):
        assert rows_independent(net(before=layer), rows).status is Status.PASS


def test_a_checked_model_is_as_before(rows: Rows) -> None:
    """Parameters, buffers, mode and random numbers are not touched."""
    model = net(before=nn.BatchNorm1d(32))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    initial_loss(model, rows, "classification", CLASSES)
    uses_input(model, rows, "classification")
    rows_independent(model, rows)
    dropout_on_outputs(model, rows)
    softmax_before_loss(model, rows, "classification")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), state)
