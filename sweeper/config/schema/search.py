"""The ``search:`` and ``resources:`` sections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sweeper.config.schema.node import Node
from sweeper.trial import Metric


class Search(Node):
    """How the space is searched."""

    sampler: Literal["random", "tpe"] = "tpe"
    trials: int = Field(64, ge=1, le=1_000_000)
    shapes: Literal["auto", "trials"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="architectures drawn: auto (a few trials each, by how many train side by side), a number, or trials (one per trial)",
    )
    pruner: Literal["asha", "median", "none"] = "asha"
    grace_epochs: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="no trial is pruned before this epoch; auto: 2, or the first epoch after the warm-up if that is later; "
        "a warm-up in steps wants a number",
    )
    reduction: int = Field(3, ge=2, le=100, description="asha keeps the best 1/reduction at each rung")
    metric: Metric = Field(Metric.VAL_LOSS, strict=False)
    seed: int = Field(0, ge=0, le=2**63 - 1, description="fixes the configs")


class Resources(Node):
    """What a sweep may use."""

    workers: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    cpus_per_worker: int = Field(
        1, ge=1, description="also the number of torch threads of a CPU worker; with several processes per trial, of each of them"
    )
    gpus_per_worker: Literal["auto"] | Annotated[float, Field(ge=0)] = Field(
        "auto", description="a fraction shares a GPU among workers; with several processes per trial 1, of each of them, or 0"
    )
    processes: int = Field(
        1,
        ge=1,
        le=1024,
        description="that train a trial together, each on its share of every batch (data-parallel): the numbers are those of one process, "
        "to rounding; gloo on CPUs, NCCL on GPUs, on one machine",
    )
    sharding: Literal["none", "fsdp"] = Field(
        "none",
        description="none: every process holds the whole model; fsdp: a part of each parameter, gradient and optimizer state (FSDP2), "
        "for models beyond one device",
    )
