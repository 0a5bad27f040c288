"""What is handed in and does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader

from sweeper.errors import InputError
from sweeper.lr_range.handed import lr_range_test
from tests.lr_range.handing import mlp, short


def loss_of(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """An ordinary step function."""
    return cross_entropy(net(batch[0]), batch[1])


def stepping(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """One that trains by itself."""
    loss = loss_of(net, batch)
    loss.backward()
    return loss


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (lambda net, batch: loss_of(net, batch).item(), r"returned a float.*tensor"),
        (lambda net, batch: {"loss": loss_of(net, batch)}, r"returned a dict.*output\.loss"),
        (lambda net, batch: loss_of(net, batch).detach(), "without a graph"),
        (lambda net, batch: net(batch[0]), r"shape \(64, 10\).*mean"),
        (lambda net, batch: [loss_of(net, batch)] * 2, "2 losses for 1 optimizer"),
        (stepping, "calling backward itself"),
    ],
)
def test_a_step_function_that_gives_no_loss_is_told(step: Callable[..., Any], sentence: str, loader: DataLoader[Any]) -> None:
    """What came back, and what should."""
    model = mlp()
    with pytest.raises(InputError, match=sentence):
        short(model, SGD(model.parameters()), data=loader, step_fn=step)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"low": 1.0, "high": 0.1}, "low, high"),
        ({"steps": 1}, "steps"),
        ({"repeats": 0, "accumulate": 0}, "repeats(.|\n)*accumulate"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"precision": "half"}, "fp32, bf16, fp16"),
        ({"data": None}, "data  missing"),
        ({"data": 3}, "data  a int"),
        ({"loss_fn": None}, "neither"),
        ({"loss_fn": "mse"}, "loss_fn  a str"),
        ({"step_fn": loss_of}, "both"),
        ({"data": [{"input_ids": 1}]}, "a dict with the keys input_ids.*step_fn"),
        ({"data": [(1, 2, 3)]}, "a tuple of 3"),
        ({"optimizer": []}, "an empty list"),
        ({"optimizer": cross_entropy}, "a function.*Optimizer"),
        ({"optimizer": torch.optim.LBFGS(mlp().parameters())}, "LBFGS.*SGD"),
        ({"optimizer": SGD(mlp().parameters())}, "no parameter that the loss depends on"),
        ({"optimizer": SGD(mlp().parameters(), lr=0.0)}, "learning rate 0"),
        ({"probe": "loss"}, 'probe  "loss".*train_loss or val_loss'),
        ({"probe": "val_loss"}, "validation  missing"),
        ({"probe": "train_loss", "validation": [1]}, "does not look at it"),
        ({"probe": "train_loss", "probe_steps": 24}, "25 or more"),
        ({"validation": 3}, "validation  a int"),
        ({"validation": iter([1])}, r"read once.*iter\(loader\)"),
        ({"validation": []}, "validation  no batch"),
        ({"validation": [{"input_ids": 1}]}, "a dict with the keys input_ids"),
        ({"model": nn.ReLU()}, "no parameters"),
        ({"model": nn.Linear(2, 2, device="meta")}, "meta"),
        ({"model": nn.LazyLinear(2)}, "one batch first"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: dict[str, Any], sentence: str, loader: DataLoader[Any]) -> None:
    """One clear error each."""
    model = mlp()
    arguments = {"model": model, "optimizer": SGD(model.parameters()), "loss_fn": cross_entropy, "data": loader, "steps": 3, **change}
    with pytest.raises(InputError, match=sentence):
        lr_range_test(**arguments)
