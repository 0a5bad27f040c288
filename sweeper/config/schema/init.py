"""The ``init:`` section: how weights begin."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sweeper.config.schema.node import Node, per_lane

Scheme: TypeAlias = Literal[
    "auto", "xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal"
]


class Init(Node):
    """What the first weights are drawn from. Neither key fixes tensor sizes, so trials that differ in them may share a stack."""

    scheme: Scheme = per_lane(
        "auto",
        description="of hidden layers; auto: He for the ReLU family, Xavier for tanh and sigmoid, LeCun for SELU; "
        "a custom model is left as its function made it",
    )
    head_gain: float = per_lane(
        0.1, ge=0, le=10, description="the output layer is Xavier times this, so that the first loss is ln(classes)"
    )
