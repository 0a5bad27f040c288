"""The model families: each maps rows to ``outputs`` numbers and is built from its own part of the config."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.config.schema import Cnn, Mlp, Model
from sweeper.core.models.cnn import CnnNet
from sweeper.core.models.mlp import MlpNet


def build(config: Model, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """The network of this config; its weights are torch's until ``sweeper.core.init`` draws them.

    Args:
        config: the config's ``model`` part.
        input_shape: shape of one row, without the batch.
        outputs: classes, or 1 for regression.

    Raises:
        InputError: the family cannot take rows of this shape.
    """
    with torch.random.fork_rng([]):  # the weights torch draws here are replaced, so nobody's random numbers are used up for them
        match config:
            case Mlp():
                return MlpNet(config, input_shape, outputs)
            case Cnn():
                return CnnNet(config, input_shape, outputs)
