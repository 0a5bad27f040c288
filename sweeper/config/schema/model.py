"""The ``model:`` section: one mapping per family."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from sweeper.config.schema.node import Node, per_lane

Activation: TypeAlias = Literal["relu", "gelu", "silu", "tanh", "leaky_relu", "elu", "selu", "sigmoid"]
Width: TypeAlias = Annotated[int, Field(ge=1, le=65536)]


class Mlp(Node):
    """A multilayer perceptron: ``depth`` hidden layers of ``width`` units, or one per entry of ``widths``."""

    family: Literal["mlp"] = "mlp"
    width: int = Field(128, ge=1, le=65536, description="units per hidden layer")
    depth: int = Field(2, ge=0, le=64, description="hidden layers; 0: a linear model")
    widths: list[Width] | None = Field(
        None, min_length=1, max_length=64, description="units of each hidden layer, such as [256, 64]; takes the place of width and depth"
    )
    activation: Activation = "relu"
    norm: Literal["none", "batch", "layer"] = Field("none", description="normalisation before the activation")
    dropout: float = per_lane(
        0.0, ge=0, lt=1, description="dropout after each hidden activation, never before the output; search 0.3 to 0.7"
    )


class Cnn(Node):
    """A small convolutional network: ``depth`` blocks of convolution, norm, activation and pooling while the image allows it."""

    family: Literal["cnn"] = "cnn"
    channels: int = Field(32, ge=1, le=4096, description="channels of the first block; doubled after each pooling")
    depth: int = Field(2, ge=1, le=16, description="convolution blocks")
    kernel: Literal[3, 5, 7] = Field(3, description="kernel size")
    residual: bool = Field(False, description="blocks of two convolutions with a shortcut around them (He et al., 2016)")
    pooling: Literal["max", "avg"] = "max"
    global_pooling: bool = Field(False, description="average each channel of the last block, in place of flattening it")
    activation: Activation = "relu"
    norm: Literal["none", "batch"] = Field("batch", description="normalisation before the activation")
    conv_dropout: float = per_lane(0.0, ge=0, lt=1, description="dropout after each block; 0.25 is usual")
    dropout: float = per_lane(
        0.0, ge=0, lt=1, description="dropout on the pooled features' hidden layer, never before the output; 0.5 is usual"
    )
    hidden: int = Field(128, ge=1, le=65536, description="units of the hidden layer between the convolutions and the output")


class Rnn(Node):
    """A recurrent network over the steps of a series, the rows of an image or the tokens of a text."""

    family: Literal["rnn"] = "rnn"
    cell: Literal["gru", "lstm"] = "gru"
    width: int = Field(64, ge=1, le=65536, description="hidden units of each direction; also the length of token embeddings")
    depth: int = Field(1, ge=1, le=16, description="recurrent layers")
    bidirectional: bool = Field(False, description="a second set of layers reads backwards")
    pooling: Literal["last", "mean"] = Field(
        "last", description="what goes on of all steps: the last, or their mean; padding does not count"
    )
    hidden: int = Field(64, ge=1, le=65536, description="units of the hidden layer between the recurrent ones and the output")
    activation: Activation = Field("relu", description="of the hidden layer; recurrent layers have their own")
    dropout: float = per_lane(
        0.0, ge=0, lt=1, description="dropout between recurrent layers and after the hidden layer's activation; search 0.2 to 0.5"
    )


class Transformer(Node):
    """A pre-norm transformer encoder (Vaswani et al., 2017; Xiong et al., 2020) over patches, steps or tokens."""

    family: Literal["transformer"] = "transformer"
    width: int = Field(64, ge=1, le=65536, description="length of the vectors; a multiple of heads")
    heads: int = Field(4, ge=1, le=256, description="attention heads")
    depth: int = Field(2, ge=1, le=64, description="layers of attention and feed-forward")
    feed_forward: int = Field(4, ge=1, le=16, description="units of the feed-forward part as a multiple of width")
    patch: int | None = Field(4, ge=1, description="side of an image's square patches; null: its rows are the steps")
    pooling: Literal["mean", "class"] = Field("mean", description="mean over the steps, without padding; or a class token")
    activation: Activation = Field("gelu", description="of the feed-forward part")
    dropout: float = per_lane(0.1, ge=0, lt=1, description="dropout in the feed-forward part, after its activation; 0.1 is usual")
    attention_dropout: float = per_lane(0.1, ge=0, lt=1, description="dropout on the attention weights; 0.1 is usual")


class Custom(Node):
    """A model of your own: ``build(input_shape, outputs, **params)`` returns an ``nn.Module``. All of its keys fix the shape."""

    family: Literal["custom"] = "custom"
    path: str = Field(examples=["my_nets:build"], description="module and function, such as my_nets:build or my_package.nets:build")
    params: dict[str, Any] = Field({}, description="passed to the function by name; each may be searched")
    folder: str | None = Field(
        None, description="where the module lies; null: beside this file, or in the working directory; a sweep writes it into best.yaml"
    )

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, tree: Any) -> Any:
        """``{"params.width": 8}``, as a space draws it, is ``{"params": {"width": 8}}``."""
        if not isinstance(tree, dict) or not any(str(name).startswith("params.") for name in tree):
            return tree
        found: dict[str, Any] = {"params": {}}
        for name, value in tree.items():
            if name.startswith("params."):
                found["params"][name.removeprefix("params.")] = value
            else:
                found[name] = value
        return found


Model: TypeAlias = Mlp | Cnn | Rnn | Transformer | Custom
OneModel: TypeAlias = Annotated[Model, Field(discriminator="family")]
