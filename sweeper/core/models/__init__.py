"""The model families: each maps rows to ``outputs`` numbers and is built from its own part of the config."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.config.schema import Cnn, Custom, Mlp, Model, Rnn, Transformer
from sweeper.core.models.cnn import CnnNet
from sweeper.core.models.custom import custom
from sweeper.core.models.mlp import MlpNet
from sweeper.core.models.rnn import RnnNet
from sweeper.core.models.transformer import TransformerNet

SHIPPED = (MlpNet, CnnNet, RnnNet, TransformerNet)
"""The networks of our own families: all that they compute is done by layers that they hold."""


def build(config: Model, input_shape: tuple[int, ...], outputs: int, tokens: int = 0) -> nn.Module:
    """The network of this config; its weights are torch's until ``sweeper.core.init`` draws them.

    Args:
        config: the config's ``model`` part.
        input_shape: shape of one row, without the batch: ``(features,)``, ``(channels, height, width)``, ``(time, features)``, or
            ``(length,)`` of tokens.
        outputs: classes or labels, or 1 for regression.
        tokens: above 0, rows are int64 token ids below it, of which 0 is padding; at 0, rows are float32.

    Raises:
        InputError: the family cannot take rows of this shape, or a custom model cannot be built.
    """
    with torch.random.fork_rng([]):  # the weights torch draws here are replaced, so nobody's random numbers are used up for them
        match config:
            case Mlp():
                return MlpNet(config, input_shape, outputs, tokens)
            case Cnn():
                return CnnNet(config, input_shape, outputs, tokens)
            case Rnn():
                return RnnNet(config, input_shape, outputs, tokens)
            case Transformer():
                return TransformerNet(config, input_shape, outputs, tokens)
            case Custom():
                # Also where ours are built on the meta device: a function may load weights, or ask a tensor for its values.
                with torch.device("cpu"):
                    return custom(config, input_shape, outputs, tokens)


def lent(x: torch.Tensor, model: nn.Module) -> torch.Tensor:
    """Rows that are needed again after ``model`` has seen them: a copy, unless it is one of ours, since others may change them in place."""
    return x if isinstance(model, SHIPPED) else x.clone()
