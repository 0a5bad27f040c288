"""Small data sets, sound and broken, and a sound config."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch

from sweeper.config.schema import Config, Data
from sweeper.core.batches import Resident
from sweeper.data.dataset import Dataset, Part
from sweeper.data.inputs import ArrayInputs
from sweeper.data.prepare import prepare
from sweeper.data.preprocess import Preprocessing, Target


def dataset(x: np.ndarray, y: np.ndarray, task: str = "classification", outputs: int = 0, tokens: int = 0) -> Dataset:
    """Arrays as they are, six tenths for training and two for each other part."""
    n = len(x)
    parts = [Part(x[low:high], y[low:high]) for low, high in ((0, n * 6 // 10), (n * 6 // 10, n * 8 // 10), (n * 8 // 10, n))]
    outputs = outputs or (int(y.max()) + 1 if task == "classification" else y.shape[1] if y.ndim > 1 else 1)
    labels = tuple(f"class {i}" for i in range(outputs)) if task != "regression" else ()
    preprocessing = Preprocessing(ArrayInputs(x.shape[1:], (0.0,), (1.0,)), Target("y"))
    return Dataset(*parts, task, outputs, labels, 0.0, 1.0, preprocessing, "hash", {"source": "arrays"}, tokens)


def blobs(n: int = 300, features: int = 6, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows around one centre per class, and the classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.normal(size=(n, features)) + 2.0 * rng.normal(size=(classes, features))[y]
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32), y.astype(np.int64)


def config(**parts: Any) -> Config:
    """A small MLP's config, with these parts in place of the defaults."""
    tree = {"name": "small", "model": {"family": "mlp", "width": 16, "depth": 2}, "training": {"batch_size": 16, "epochs": 3}}
    return Config.model_validate(tree | parts)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Digits as images of 1 x 8 x 8."""
    return prepare(Data(source="digits"), "classification")


@pytest.fixture(scope="session")
def diabetes() -> Dataset:
    """A regression table of ten columns."""
    return prepare(Data(source="diabetes"), "regression")


@pytest.fixture(scope="session")
def resident() -> Resident:
    """Three blobs on the CPU."""
    return Resident.of(dataset(*blobs()), torch.device("cpu"))


@pytest.fixture(autouse=True)
def _one_thread() -> Generator[None]:
    """The core sets the number of threads; a test does not leave its own behind."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
