"""The ``model:`` section: one mapping per family."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane

Activation: TypeAlias = Literal["relu", "gelu", "silu", "tanh", "leaky_relu", "elu"]


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


Model: TypeAlias = Mlp | Cnn
OneModel: TypeAlias = Annotated[Model, Field(discriminator="family")]
