"""Hyperparameter search and learning-rate range tests for PyTorch.

``load_config`` reads a complete config such as ``runs/mlp/best.yaml``; ``train`` trains it; ``load_model`` loads what a sweep or a
production job exported; ``lr_range_test`` finds the useful learning rates of a config, or of a model of your own. They are imported at
their first use: ``import sweeper`` alone loads neither torch nor Ray, Optuna or MLflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeper.config.files import load_config
    from sweeper.lr_range.api import lr_range_test
    from sweeper.production.model import load_model
    from sweeper.production.train import TrainResult, train

__version__ = "0.1.0"
__all__ = ["TrainResult", "__version__", "load_config", "load_model", "lr_range_test", "train"]

_HOMES = {
    "load_config": "sweeper.config.files",
    "lr_range_test": "sweeper.lr_range.api",
    "load_model": "sweeper.production.model",
    "TrainResult": "sweeper.production.train",
    "train": "sweeper.production.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sweeper' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
