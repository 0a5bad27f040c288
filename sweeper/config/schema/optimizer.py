"""The ``optimizer:`` section: one mapping per optimizer. None of them decays biases and norms."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane

RESCALED = "L2 weight decay, which the denominator rescales like any gradient; search log 1e-6 to 1e-3"


class _Adam(Node):
    """What Adam and AdamW have in common."""

    name: str
    lr: float = per_lane(1e-3, gt=0, description="peak learning rate; search log 1e-4 to 1e-2")
    weight_decay: float
    beta1: float = per_lane(0.9, ge=0, lt=1, description="decay of the first moment; search 0.8 to 0.95")
    beta2: float = per_lane(0.999, ge=0, lt=1, description="decay of the second moment; search 0.95 to 0.999")
    eps: float = per_lane(1e-8, gt=0, description="added to the denominator")


class AdamW(_Adam):
    """AdamW (Loshchilov & Hutter, 2019): Adam with decoupled weight decay; no decay on biases and norms."""

    name: Literal["adamw"] = "adamw"
    weight_decay: float = per_lane(1e-2, ge=0, description="decoupled weight decay; search log 1e-4 to 1e-1")


class Adam(_Adam):
    """Adam (Kingma & Ba, 2015) with L2 weight decay added to the gradient; no decay on biases and norms."""

    name: Literal["adam"] = "adam"
    weight_decay: float = per_lane(1e-4, ge=0, description=RESCALED)


class RmsProp(Node):
    """RMSprop (Tieleman & Hinton, 2012) with L2 weight decay added to the gradient; no decay on biases and norms."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: float = per_lane(1e-3, gt=0, description="peak learning rate; search log 1e-4 to 1e-2")
    weight_decay: float = per_lane(1e-4, ge=0, description=RESCALED)
    alpha: float = per_lane(0.99, ge=0, lt=1, description="decay of the mean square; search 0.9 to 0.999")
    momentum: float = per_lane(0.0, ge=0, lt=1, description="momentum of the scaled gradient; search 0 to 0.9")
    eps: float = per_lane(1e-8, gt=0, description="added to the denominator")


class Lion(Node):
    """Lion (Chen et al., 2023): the sign of an interpolated momentum, with decoupled weight decay; no decay on biases and norms.

    Every weight moves by the learning rate, so that is 3 to 10 times smaller than AdamW's, and the decay 3 to 10 times larger.
    """

    name: Literal["lion"] = "lion"
    lr: float = per_lane(1e-4, gt=0, description="peak learning rate; search log 3e-5 to 3e-3")
    weight_decay: float = per_lane(1e-1, ge=0, description="decoupled weight decay; search log 1e-3 to 1")
    beta1: float = per_lane(0.9, ge=0, lt=1, description="share of the momentum in the step; search 0.8 to 0.95")
    beta2: float = per_lane(0.99, ge=0, lt=1, description="decay of the momentum; search 0.95 to 0.999")


class Muon(Node):
    """Muon (Jordan et al., 2024), torch's own, for the hidden layers' matrices; AdamW for everything else.

    Everything else is embeddings, convolution kernels, the output layer, biases and norms; the last two are not decayed. The matrix of a
    dense first layer is Muon's. Its momentum is made orthogonal, so a step has the length of its learning rate whatever the gradient's.
    The schedule and the range test move both learning rates alike.
    """

    name: Literal["muon"] = "muon"
    lr: float = per_lane(2e-2, gt=0, description="peak learning rate of the hidden matrices; search log 5e-3 to 1e-1")
    weight_decay: float = per_lane(1e-2, ge=0, description="decoupled weight decay of both parts; search log 1e-4 to 1e-1")
    momentum: float = per_lane(0.95, ge=0, lt=1, description="momentum of the hidden matrices; search 0.9 to 0.98")
    nesterov: bool = Field(True, description="Nesterov's variant of that momentum")
    ns_steps: int = Field(5, ge=1, lt=100, description="Newton-Schulz iterations that make a step orthogonal")
    adjust_lr: Literal["original", "match_rms_adamw"] = Field(
        "original",
        description="how a matrix's shape scales its rate: original (Jordan) by sqrt(max(1, rows / columns)); "
        "match_rms_adamw (Moonshot) by 0.2 sqrt(max(rows, columns)), which goes with AdamW's learning rates",
    )
    adamw_lr: float = per_lane(1e-3, gt=0, description="peak learning rate of everything else; search log 1e-4 to 1e-2")
    adamw_beta1: float = per_lane(0.9, ge=0, lt=1, description="decay of AdamW's first moment")
    adamw_beta2: float = per_lane(0.999, ge=0, lt=1, description="decay of AdamW's second moment")
    adamw_eps: float = per_lane(1e-8, gt=0, description="added to AdamW's denominator")


class Sgd(Node):
    """Stochastic gradient descent with momentum; no decay on biases and norms."""

    name: Literal["sgd"] = "sgd"
    lr: float = per_lane(1e-2, gt=0, description="peak learning rate; search log 1e-3 to 1; without momentum 1e-1 is usual")
    momentum: float = per_lane(0.9, ge=0, lt=1, description="momentum; 0 is plain gradient descent; search 0.8 to 0.99")
    nesterov: bool = Field(False, description="Nesterov's variant; needs momentum above 0")
    weight_decay: float = per_lane(1e-4, ge=0, description="L2 weight decay; search log 1e-5 to 1e-2")


Optimizer: TypeAlias = AdamW | Adam | RmsProp | Lion | Muon | Sgd
OneOptimizer: TypeAlias = Annotated[Optimizer, Field(discriminator="name")]
