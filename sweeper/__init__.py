"""Hyperparameter search and learning-rate range tests for PyTorch."""

from __future__ import annotations

__version__ = "0.1.0"
