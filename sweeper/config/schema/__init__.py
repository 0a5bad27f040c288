"""The one schema: every key of a config, its type, bounds and default.

A *space* is the same tree in which some leaves are distributions (see ``sweeper.config.space``).
Leaves marked ``per_lane`` may differ between trials that share a stack; every other leaf of ``model``,
``optimizer``, ``schedule`` and ``training`` fixes tensor sizes or program structure, that is, the *shape*.
"""

from __future__ import annotations

from sweeper.config.schema.augment import Augment
from sweeper.config.schema.config import Config
from sweeper.config.schema.data import SOURCE_SUFFIXES, SOURCE_WORDS, SOURCES, SYNTHETIC, Data, Split, Tokens, source_kind
from sweeper.config.schema.init import Init
from sweeper.config.schema.model import Activation, Cnn, Custom, Mlp, Model, Rnn, Transformer
from sweeper.config.schema.node import Node
from sweeper.config.schema.optimizer import Adam, AdamW, Lion, Muon, Optimizer, RmsProp, Sgd
from sweeper.config.schema.schedule import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
    WarmupCosine,
    WarmupLinear,
)
from sweeper.config.schema.search import Resources, Search
from sweeper.config.schema.training import Training

__all__ = [
    "SOURCES",
    "SOURCE_SUFFIXES",
    "SOURCE_WORDS",
    "SYNTHETIC",
    "Activation",
    "Adam",
    "AdamW",
    "Augment",
    "Cnn",
    "Config",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Custom",
    "Data",
    "Exponential",
    "Init",
    "Lion",
    "Mlp",
    "Model",
    "MultiStep",
    "Muon",
    "Node",
    "OneCycle",
    "Optimizer",
    "ReduceOnPlateau",
    "Resources",
    "RmsProp",
    "Rnn",
    "Schedule",
    "Search",
    "Sgd",
    "Split",
    "Step",
    "Tokens",
    "Training",
    "Transformer",
    "WarmupCosine",
    "WarmupLinear",
    "source_kind",
]
