"""The ``schedule:`` section: one mapping per schedule."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane


class Constant(Node):
    """The peak learning rate throughout."""

    name: Literal["constant"] = "constant"


class WarmupCosine(Node):
    """Linear warm-up from 1/100 of the peak, then a cosine down to ``final_fraction`` of it, over the full run's steps."""

    name: Literal["warmup_cosine"] = "warmup_cosine"
    warmup_fraction: float = per_lane(0.1, ge=0, lt=1, description="share of all steps spent warming up")
    final_fraction: float = per_lane(0.0, ge=0, le=1, description="last learning rate as a share of the peak")


Schedule: TypeAlias = Constant | WarmupCosine
OneSchedule: TypeAlias = Annotated[Schedule, Field(discriminator="name")]
