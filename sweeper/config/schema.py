"""The one schema: every key of a config, its type, bounds and default.

A *space* is the same tree in which some leaves are distributions (see ``sweeper.config.space``).
Leaves marked ``per_lane`` may differ between trials that share a stack; every other leaf of ``model``,
``optimizer``, ``schedule`` and ``training`` fixes tensor sizes or program structure, that is, the *shape*.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from sweeper.trial import Metric

Activation: TypeAlias = Literal["relu", "gelu", "silu", "tanh", "leaky_relu", "elu"]


SOURCES = ("digits", "breast_cancer", "wine", "diabetes")
"""Data sets that ship with scikit-learn; ``data.source`` is one of them or a file."""
SOURCE_SUFFIXES = (".csv", ".parquet", ".npz")
"""Kinds of data files, by the end of their name."""


class Node(BaseModel):
    """A mapping of the file: unknown keys are errors, nothing is coerced, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def per_lane(default: Any, *, description: str, **bounds: Any) -> Any:
    """A field that may differ between the lanes of one stack."""
    return Field(default, description=description, json_schema_extra={"per_lane": True}, **bounds)


class Split(Node):
    """How rows are divided into train, validation and test."""

    by: Literal["random", "group", "time"] = Field(
        "random",
        description="random (stratified by label for classification), group (a group never straddles two parts) "
        "or time (oldest rows train, newest test)",
    )
    column: str | None = Field(None, description="the group or time column")


class Data(Node):
    """Where the rows come from and how they are prepared; everything is fitted on the training part only."""

    source: str = Field("digits", description="digits, breast_cancer, wine, diabetes, or a .csv, .parquet or .npz file")
    target: str | None = Field(None, description="the target column of a table; the name of the target array of an npz (default y)")
    drop: list[str] = Field([], description="columns that are not inputs, such as ids")
    missing: Literal["median", "mean", "most_frequent", "error"] = Field("median", description="how gaps in numeric columns are filled")
    categorical: Literal["onehot", "ordinal"] = Field("onehot", description="how text columns become numbers")
    scale: Literal["standard", "minmax", "none"] = Field("standard", description="scaling of numeric columns")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="share of all rows used for validation")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of all rows kept for the one test of the winner")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="fixes the split")
    split: Split = Split()


class Mlp(Node):
    """A multilayer perceptron: ``depth`` hidden layers of ``width`` units."""

    family: Literal["mlp"] = "mlp"
    width: int = Field(128, ge=1, le=65536, description="units per hidden layer")
    depth: int = Field(2, ge=1, le=64, description="hidden layers")
    activation: Activation = "relu"
    norm: Literal["none", "batch", "layer"] = Field("none", description="normalisation before the activation")
    dropout: float = per_lane(0.0, ge=0, lt=1, description="dropout after each hidden activation, never before the output")


class Cnn(Node):
    """A small convolutional network: ``depth`` blocks of convolution, norm, activation and pooling while the image allows it."""

    family: Literal["cnn"] = "cnn"
    channels: int = Field(32, ge=1, le=4096, description="channels of the first block; doubled after each pooling")
    depth: int = Field(2, ge=1, le=16, description="convolution blocks")
    kernel: Literal[3, 5, 7] = Field(3, description="kernel size")
    pooling: Literal["max", "avg"] = "max"
    activation: Activation = "relu"
    norm: Literal["none", "batch"] = Field("batch", description="normalisation before the activation")
    dropout: float = per_lane(0.0, ge=0, lt=1, description="dropout on the pooled features' hidden layer, never before the output")
    hidden: int = Field(128, ge=1, le=65536, description="units of the hidden layer between the convolutions and the output")


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


class Constant(Node):
    """The peak learning rate throughout."""

    name: Literal["constant"] = "constant"


class WarmupCosine(Node):
    """Linear warm-up from 1/100 of the peak, then a cosine down to ``final_fraction`` of it, over the full run's steps."""

    name: Literal["warmup_cosine"] = "warmup_cosine"
    warmup_fraction: float = per_lane(0.1, ge=0, lt=1, description="share of all steps spent warming up")
    final_fraction: float = per_lane(0.0, ge=0, le=1, description="last learning rate as a share of the peak")


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


class Search(Node):
    """How the space is searched."""

    sampler: Literal["random", "tpe"] = "tpe"
    trials: int = Field(64, ge=1, le=1_000_000)
    shapes: Literal["auto", "trials"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="architectures drawn: auto (a new one every 2 trials, after 16 trials every 8), a number, or trials (one per trial)",
    )
    pruner: Literal["asha", "median", "none"] = "asha"
    grace_epochs: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto", description="no trial is pruned before this epoch; auto: 2, or the first epoch after the warm-up if that is later"
    )
    reduction: int = Field(3, ge=2, le=100, description="asha keeps the best 1/reduction at each rung")
    metric: Metric = Field(Metric.VAL_LOSS, strict=False)
    seed: int = Field(0, ge=0, le=2**63 - 1, description="fixes the configs")


class Resources(Node):
    """What a sweep may use."""

    workers: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    cpus_per_worker: int = Field(1, ge=1, description="also the number of torch threads of a CPU worker")
    gpus_per_worker: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"


class Config(Node):
    """A complete config: what ``best.yaml`` holds and ``sweeper train`` runs."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="names the experiment and the runs/ folder")
    task: Literal["classification", "regression"] = "classification"
    data: Data = Data()
    model: Annotated[Mlp | Cnn, Field(discriminator="family")] = Mlp()
    optimizer: Annotated[AdamW | Sgd, Field(discriminator="name")] = AdamW()
    schedule: Annotated[Constant | WarmupCosine, Field(discriminator="name")] = WarmupCosine()
    training: Training = Training()
    search: Search = Search()
    resources: Resources = Resources()
    forbid: list[dict[str, Any]] = Field([], description="combinations that are never tried")
    provenance: dict[str, Any] | None = Field(None, description="where this config came from; written by a sweep")
