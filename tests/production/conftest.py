"""One small trained model of each task, shared by the tests that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Config
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.production.train import TrainResult, train

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def config() -> Config:
    """A short classification on digits."""
    return config_from_tree(
        {
            "name": "digits",
            "model": {"family": "mlp", "width": 32, "norm": "batch", "dropout": 0.1},
            "optimizer": {"name": "adamw", "lr": 0.01},
            "training": {"epochs": 4},
        }
    )


@pytest.fixture(scope="session")
def data(config: Config) -> Dataset:
    """What it is trained on."""
    return prepare(config.data, config.task)


@pytest.fixture(scope="session")
def trained(config: Config, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Path]:
    """Its result and output folder."""
    out = tmp_path_factory.mktemp("job")
    return train(config, out=out, data=data, evaluate_test=True), out


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Dataset]:
    """A short regression on diabetes."""
    tree = {
        "name": "diabetes",
        "task": "regression",
        "data": {"source": "diabetes"},
        "optimizer": {"name": "adamw", "lr": 0.01},
        "search": {"metric": "val_mae"},
        "training": {"epochs": 20},
    }
    config = config_from_tree(tree)
    prepared = prepare(config.data, config.task)
    return train(config, out=tmp_path_factory.mktemp("job"), data=prepared), prepared
