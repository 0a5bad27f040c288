"""Short trainings: sound ones pass, broken ones are told from bad learning rates."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sweeper.config.schema import Config, Mlp, Sgd
from sweeper.core import models
from sweeper.core.batches import Resident, Rows
from sweeper.data.dataset import Dataset
from sweeper.preflight import lesson
from sweeper.preflight.finding import Status
from sweeper.preflight.lesson import loss_decreases, overfits, repeats, unregularised
from sweeper.preflight.model import model_findings

from .conftest import blobs, config, dataset


def swapped(monkeypatch: pytest.MonkeyPatch, model: type[nn.Module]) -> None:
    """Whatever family is asked for, this model is built."""
    monkeypatch.setattr(models, "build", lambda *_: model())


def test_everything_is_switched_off() -> None:
    """Dropout at any depth of the section, decay, smoothing and the schedule; precision, clipping and seed stay."""
    loud = config(
        model={"family": "mlp", "dropout": 0.4},
        optimizer={"name": "sgd", "lr": 0.2, "weight_decay": 0.1},
        training={"label_smoothing": 0.1, "clip_norm": 0.5, "seed": 7, "precision": "bf16", "patience": 3},
    )
    quiet = unregularised(loud, batch_size=10, epochs=100, rate=0.5)
    assert quiet.model == Mlp(dropout=0.0)
    assert quiet.optimizer == Sgd(lr=0.1, weight_decay=0.0)
    assert quiet.schedule.name == "constant"
    kept = quiet.training
    assert (kept.label_smoothing, kept.patience, kept.batch_size, kept.epochs) == (0.0, None, 10, 100)
    assert (kept.clip_norm, kept.seed, kept.precision) == (0.5, 7, "bf16")
    nested = config(model={"family": "custom", "path": "a:b", "params": {"dropout": 0.5, "head_dropout": [0.1, 0.2], "width": 8}})
    found = unregularised(nested, batch_size=10, epochs=1).model.model_dump()
    assert found["params"] == {"dropout": 0.0, "head_dropout": [0.0, 0.0], "width": 8}


def test_a_sound_config_passes_every_check(digits: Dataset) -> None:
    """The default config on digits, from seeds to overfitting, warns of nothing."""
    rows = list(model_findings(Config(name="mlp"), Resident.of(digits, torch.device("cpu"))))
    assert [one for one in rows if one.status is not Status.PASS] == []
    assert [one.check for one in rows][-2:] == ["loss decreases", "overfit 10 examples"]


def test_a_regression_is_learnt_by_heart(diabetes: Dataset) -> None:
    """Ten patients' values to 1% of their variance, also where the config's learning rate is low for a hundred steps."""
    data = Resident.of(diabetes, torch.device("cpu"))
    found = overfits(config(task="regression", search={"metric": "val_loss"}), data)
    assert found.status is Status.PASS
    assert "at lr 0.01 (0.001 is too low for so few steps)" in found.sentence


def test_several_labels_are_learnt_by_heart() -> None:
    """Every label of every row must be right."""
    x, y = blobs()
    many = np.equal(y[:, None], np.arange(3)).astype(np.float32)
    data = Resident.of(dataset(x, many, "multilabel"), torch.device("cpu"))
    assert overfits(config(task="multilabel"), data).status is Status.PASS


class Deaf(nn.Module):
    """Learns the commonest class and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same for every row."""
        return self.output(torch.zeros_like(x))


class Uphill(nn.Module):
    """Its gradients point the wrong way."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The right values, with the gradient's sign turned."""
        out = self.output(x)
        return (2 * out).detach() - out


def test_a_model_that_cannot_learn(resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows are not learnt at any learning rate: a bug, not a rate."""
    swapped(monkeypatch, Deaf)
    monkeypatch.setattr(lesson, "EPOCHS", 10)
    found = overfits(config(), resident)
    assert found.status is Status.FAIL
    assert "of 10 rows are right, and at other learning rates no better" in found.sentence
    assert found.remedy.startswith("model or optimisation bug")


def test_a_model_that_climbs(resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of one batch rises whatever the rate."""
    swapped(monkeypatch, Uphill)
    found = loss_decreases(config(), resident)
    assert found.status is Status.FAIL
    assert "at lower learning rates it does not fall either" in found.sentence


def test_a_learning_rate_that_is_too_high(resident: Resident) -> None:
    """The loss rises at the config's rate and falls at a lower one: a warning with both."""
    found = loss_decreases(config(optimizer={"name": "sgd", "lr": 30.0, "momentum": 0.0}, training={"clip_norm": None}), resident)
    assert found.status is Status.WARN
    assert "at lr 30, but it works at " in found.sentence
    assert found.key == "optimizer.lr"


class Dice(nn.Module):
    """Noise from somebody else's generator."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A little noise in training."""
        return self.output(x) * (1 + random.random() * self.training)  # noqa: S311


class Lucky(nn.Module):
    """Weights that no seed fixes: the count of models built."""

    built = 0

    def __init__(self) -> None:
        super().__init__()
        Lucky.built += 1
        self.scale = nn.Parameter(torch.tensor(float(Lucky.built)))
        self.output = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scaled logits."""
        return self.output(x) * self.scale


@pytest.mark.parametrize("model", [Dice, Lucky])
def test_a_training_that_does_not_repeat(model: type[nn.Module], resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers from Python's generator, or from anything else that the seed does not fix, show in the metrics."""
    assert repeats(config(), resident).status is Status.PASS
    swapped(monkeypatch, model)
    found = repeats(config(), resident)
    assert found.status is Status.FAIL
    assert "differ in epoch 1" in found.sentence


def test_the_generators_stand_where_they_stood(resident: Resident) -> None:
    """Scrambling them for the second run leaves nothing behind."""
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist())
    repeats(config(model={"family": "mlp", "width": 8, "dropout": 0.5}), resident)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()) == before


def test_what_a_model_raises_is_a_row(resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shape error in forward is told by every check that meets it, and stops none."""

    class Broken(Deaf):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Fails."""
            return self.output(x[:, :2])

    swapped(monkeypatch, Broken)
    rows = list(model_findings(config(training={"engine": "plain", "batch_size": 16}), resident))
    assert len(rows) == 12
    assert {one.status for one in rows} == {Status.FAIL}
    assert "RuntimeError" in rows[1].sentence


def test_ten_rows_are_ten_different_ones(resident: Resident) -> None:
    """Repeated inputs, which two labels could share, are taken once."""
    twice = Rows(torch.cat([resident.train.x[:6]] * 30), torch.cat([resident.train.y[:6]] * 30))
    found = overfits(config(), replace(resident, train=twice))
    assert "all 6 learnt by heart" in found.sentence
