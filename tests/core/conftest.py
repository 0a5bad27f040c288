"""Small real data sets and trials on them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
import torch

from sweeper.config.schema import Config, Data
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.trial import Command, Continue, Report, Trial

MakeTrial = Callable[..., Trial]
Drive = Callable[[Generator[list[Report], list[Command], None]], list[Report]]


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Digits as images of 1 x 8 x 8."""
    return prepare(Data(source="digits"), "classification")


@pytest.fixture(scope="session")
def diabetes() -> Dataset:
    """A regression table of ten columns."""
    return prepare(Data(source="diabetes"), "regression")


def make(number: int = 0, seed: int = 0, **parts: Any) -> Trial:
    """A trial of three epochs whose config has these parts in place of the defaults."""
    tree: dict[str, Any] = {"name": "test", **parts}
    tree["model"] = {"family": "mlp", **tree.get("model", {})}
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
