"""The one schema: every key of a config, its type, bounds and default.

A *space* is the same tree in which some leaves are distributions (see ``sweeper.config.space``).
Leaves marked ``per_lane`` may differ between trials that share a stack; every other leaf of ``model``,
``optimizer``, ``schedule`` and ``training`` fixes tensor sizes or program structure, that is, the *shape*.
"""

from __future__ import annotations

from sweeper.config.schema.config import Config
from sweeper.config.schema.data import SOURCE_SUFFIXES, SOURCES, Data, Split
from sweeper.config.schema.model import Activation, Cnn, Mlp, Model
from sweeper.config.schema.node import Node
from sweeper.config.schema.optimizer import AdamW, Optimizer, Sgd
from sweeper.config.schema.schedule import Constant, Schedule, WarmupCosine
from sweeper.config.schema.search import Resources, Search
from sweeper.config.schema.training import Training

__all__ = [
    "SOURCES",
    "SOURCE_SUFFIXES",
    "Activation",
    "AdamW",
    "Cnn",
    "Config",
    "Constant",
    "Data",
    "Mlp",
    "Model",
    "Node",
    "Optimizer",
    "Resources",
    "Schedule",
    "Search",
    "Sgd",
    "Split",
    "Training",
    "WarmupCosine",
]
