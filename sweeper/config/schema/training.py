"""The ``training:`` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane


class Training(Node):
    """How long and how a model is trained."""

    epochs: int = Field(30, ge=1, le=1_000_000, description="at most this many passes over the training part; the schedule's horizon")
    batch_size: int = Field(64, ge=1, le=1_000_000)
    accumulate: int = Field(
        1,
        ge=1,
        le=1_000_000,
        description="batches per optimizer step, whose gradient is the mean over all their rows (gradient accumulation)",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="auto picks by hardware and says why")
    engine: Literal["auto", "plain", "stacked"] = Field(
        "auto",
        description="stacked trains trials of one shape as one program, plain one after another; auto takes what is faster and says why",
    )
    scale_lr_with_batch: int | None = per_lane(
        None,
        ge=1,
        description="batch that optimizer.lr is meant for: the peak learning rate is optimizer.lr times the effective batch "
        "(batch_size * accumulate) over this one, best after a warm-up of some epochs; null: no scaling",
    )
    scale_lr_rule: Literal["linear", "sqrt"] = per_lane(
        "linear",
        description="linear (Goyal et al., 2017) is for SGD; sqrt, the root of that ratio (Malladi et al., 2022), for the Adam family",
    )
    clip_norm: float | None = per_lane(1.0, gt=0, description="largest gradient norm; null: no clipping")
    clip_value: float | None = per_lane(
        None, gt=0, description="largest absolute value of a gradient's elements, such as 0.5; null: no clipping; not beside clip_norm"
    )
    class_weights: Literal["none", "balanced"] = per_lane(
        "none",
        description="balanced: in the training loss a row counts n / (classes * rows of its class), so that rare classes count as much as "
        "common ones; classification only; never part of val_loss",
    )
    label_smoothing: float = per_lane(0.0, ge=0, lt=1, description="classification only; never part of val_loss")
    patience: int | None = Field(
        8, ge=1, description="epochs without an improvement of more than min_delta before training stops; null: never"
    )
    min_delta: float = per_lane(1e-3, ge=0, description="what counts as an improvement for patience")
    monitor: bool = Field(True, description="report gradients, weights and activations by epoch (at most 5% of the time)")
    seed: int = per_lane(0, ge=0, le=2**63 - 1, description="initialisation, data order and dropout; drawn per trial in a sweep")
