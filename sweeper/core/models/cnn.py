"""The small convolutional network."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.config.schema import Cnn
from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import activation
from sweeper.errors import InputError


class CnnNet(nn.Module):
    """``depth`` blocks of convolution, norm, activation and pooling, then one hidden layer and a linear output.

    A block pools (halving height and width) while both are at least 2, and the channels double after each pooling.
    What remains of the image is flattened into the hidden layer; dropout follows its activation.

    Args:
        config: channels, depth, kernel, pooling, activation, norm, dropout and hidden.
        input_shape: ``(channels, height, width)`` of one image.
        outputs: numbers per image that come out.

    Raises:
        InputError: the rows are not images.
    """

    def __init__(self, config: Cnn, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        if len(input_shape) != 3:
            raise InputError.of(
                "config",
                "model.family",
                f"cnn needs images of shape [channels, height, width], but a row of this data has shape {list(input_shape)}",
                "mlp",
                "write family: mlp, or bring an .npz file whose x has the shape [rows, channels, height, width]",
            )
        incoming, height, width = input_shape
        channels = config.channels
        blocks: list[nn.Module] = []
        for _ in range(config.depth):
            # A norm that follows has its own shift, so the convolution's bias would be a dead parameter.
            blocks.append(nn.Conv2d(incoming, channels, config.kernel, padding="same", bias=config.norm == "none"))
            if config.norm == "batch":
                blocks.append(nn.BatchNorm2d(channels))
            blocks.append(activation(config.activation))
            incoming = channels
            if min(height, width) >= 2:
                blocks.append(nn.MaxPool2d(2) if config.pooling == "max" else nn.AvgPool2d(2))
                height, width, channels = height // 2, width // 2, channels * 2
        blocks += [
            nn.Flatten(),
            nn.Linear(incoming * height * width, config.hidden),
            activation(config.activation),
            Dropout(config.dropout),
        ]
        self.hidden = nn.Sequential(*blocks)
        self.output = nn.Linear(config.hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images ``[n, channels, height, width]`` to ``[n, outputs]``."""
        out: torch.Tensor = self.output(self.hidden(x))
        return out
