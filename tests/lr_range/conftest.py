"""Data that the range tests of real models share."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

from sweeper.config.schema import Config
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare


@pytest.fixture(scope="package")
def digits() -> Dataset:
    """Scikit-learn's digits, prepared."""
    config = Config(name="mlp")
    return prepare(config.data, config.task)


@pytest.fixture(scope="module")
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """Scikit-learn's digits."""
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)


@pytest.fixture(scope="module")
def loader(rows: tuple[torch.Tensor, torch.Tensor]) -> DataLoader[Any]:
    """The digits in random batches."""
    return DataLoader(TensorDataset(*rows), batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(0))
