"""The ``optimizer:`` section: one mapping per optimizer."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane


class AdamW(Node):
    """AdamW (Loshchilov & Hutter, 2019): Adam with decoupled weight decay; no decay on biases and norms."""

    name: Literal["adamw"] = "adamw"
    lr: float = per_lane(1e-3, gt=0, description="peak learning rate")
    weight_decay: float = per_lane(1e-2, ge=0, description="decoupled weight decay")
    beta1: float = per_lane(0.9, ge=0, lt=1, description="decay of the first moment")
    beta2: float = per_lane(0.999, ge=0, lt=1, description="decay of the second moment")
    eps: float = per_lane(1e-8, gt=0, description="added to the denominator")


class Sgd(Node):
    """Stochastic gradient descent with momentum; no decay on biases and norms."""

    name: Literal["sgd"] = "sgd"
    lr: float = per_lane(1e-2, gt=0, description="peak learning rate")
    momentum: float = per_lane(0.9, ge=0, lt=1, description="momentum")
    nesterov: bool = Field(False, description="Nesterov's variant; needs momentum above 0")
    weight_decay: float = per_lane(1e-4, ge=0, description="L2 weight decay")


Optimizer: TypeAlias = AdamW | Sgd
OneOptimizer: TypeAlias = Annotated[Optimizer, Field(discriminator="name")]
