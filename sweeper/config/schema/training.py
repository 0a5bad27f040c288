"""The ``training:`` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane


class Training(Node):
    """How long and how a model is trained."""

    epochs: int = Field(30, ge=1, le=1_000_000, description="at most this many passes over the training part; the schedule's horizon")
    batch_size: int = Field(64, ge=1, le=1_000_000)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="auto picks by hardware and says why")
    engine: Literal["auto", "plain", "stacked"] = Field(
        "auto",
        description="stacked trains trials of one shape as one program, plain one after another; auto takes what is faster and says why",
    )
    clip_norm: float | None = per_lane(1.0, gt=0, description="largest gradient norm; null: no clipping")
    label_smoothing: float = per_lane(0.0, ge=0, lt=1, description="classification only; never part of val_loss")
    patience: int | None = Field(
        8, ge=1, description="epochs without an improvement of more than min_delta before training stops; null: never"
    )
    min_delta: float = per_lane(1e-3, ge=0, description="what counts as an improvement for patience")
    seed: int = per_lane(0, ge=0, le=2**63 - 1, description="initialisation, data order and dropout; drawn per trial in a sweep")
