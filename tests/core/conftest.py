"""Small real data sets, prepared by hand, and trials on them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits

from sweeper.config.schema import Config
from sweeper.data.dataset import Dataset, Part
from sweeper.data.preprocess import Preprocessing, Target
from sweeper.trial import Command, Continue, Report, Trial

MakeTrial = Callable[..., Trial]
Drive = Callable[[Generator[list[Report], list[Command], None]], list[Report]]


def prepared(x: np.ndarray, y: np.ndarray, task: str) -> Dataset:
    """Splits rows 60/20/20 in their order after one shuffle; fits on the first part."""
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    train, val = int(0.6 * len(x)), int(0.8 * len(x))
    if task == "classification":
        target = Target("y", values=tuple(str(label) for label in np.unique(y)))
        outputs, ready = len(target.values), y.astype(np.int64)
    else:
        target = Target("y", mean=float(y[:train].mean()), scale=float(y[:train].std()))
        outputs, ready = 1, ((y - target.mean) / target.scale).astype(np.float32)
    preprocessing = Preprocessing.fit(x[:train], target)
    inputs = preprocessing.transform(x)
    return Dataset(
        train=Part(inputs[:train], ready[:train]),
        val=Part(inputs[train:val], ready[train:val]),
        test=Part(inputs[val:], ready[val:]),
        task=task,
        outputs=outputs,
        labels=tuple(str(value) for value in target.values),
        target_mean=target.mean,
        target_scale=target.scale,
        preprocessing=preprocessing,
        hash="0" * 64,
        summary={},
    )


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Digits as images of 1 x 8 x 8."""
    x, y = load_digits(return_X_y=True)
    return prepared(x.reshape(-1, 1, 8, 8), y, "classification")


@pytest.fixture(scope="session")
def diabetes() -> Dataset:
    """A regression table of ten columns."""
    x, y = load_diabetes(return_X_y=True)
    return prepared(x, y, "regression")


def make(number: int = 0, seed: int = 0, **parts: Any) -> Trial:
    """A trial of three epochs whose config has these parts in place of the defaults."""
    tree: dict[str, Any] = {"name": "test", **parts}
    tree["training"] = {"epochs": 3, **tree.get("training", {}), "seed": seed}
    return Trial(number, seed, {}, Config.model_validate(tree).model_dump(mode="json"), "shape")


@pytest.fixture(scope="session")
def make_trial() -> MakeTrial:
    """Makes trials."""
    return make


def go_on(training: Generator[list[Report], list[Command], None]) -> list[Report]:
    """Answers every report with Continue, to the end."""
    reports = []
    commands: list[Command] | None = None
    while True:
        try:
            found = training.send(commands) if commands is not None else next(training)
        except StopIteration:
            return reports
        reports += found
        commands = [Continue("go on") for _ in found]


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Drives a training to its end."""
    return go_on


@pytest.fixture(autouse=True)
def _one_thread() -> Generator[None]:
    """The core sets the number of threads; a test does not leave its own behind."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
