"""All sections together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sweeper.config.schema.augment import Augment
from sweeper.config.schema.data import Data
from sweeper.config.schema.init import Init
from sweeper.config.schema.model import Mlp, OneModel
from sweeper.config.schema.node import Node
from sweeper.config.schema.optimizer import AdamW, OneOptimizer
from sweeper.config.schema.schedule import OneSchedule, WarmupCosine
from sweeper.config.schema.search import Resources, Search
from sweeper.config.schema.training import Training


class Config(Node):
    """A complete config: what ``best.yaml`` holds and ``sweeper train`` runs."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="names the experiment and the runs/ folder", examples=["mlp"])
    task: Literal["classification", "multilabel", "regression"] = "classification"
    data: Data = Data()
    model: OneModel = Mlp()
    init: Init = Init()
    optimizer: OneOptimizer = AdamW()
    schedule: OneSchedule = WarmupCosine()
    training: Training = Training()
    augment: Augment = Augment()
    search: Search = Search()
    resources: Resources = Resources()
    forbid: list[dict[str, Any]] = Field([], description="combinations that are never tried")
    provenance: dict[str, Any] | None = Field(None, description="where this config came from; written by a sweep")
