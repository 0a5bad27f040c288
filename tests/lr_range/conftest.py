"""Data that the range tests of real models share."""

from __future__ import annotations

import pytest

from sweeper.config.schema import Config
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare


@pytest.fixture(scope="package")
def digits() -> Dataset:
    """Scikit-learn's digits, prepared."""
    config = Config(name="mlp")
    return prepare(config.data, config.task)
