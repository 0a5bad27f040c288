"""The small convolutional network."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.config.schema import Cnn
from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import activation, refused


class Residual(nn.Module):
    """Two convolutions with a shortcut around them, activation after the sum (He et al., 2016).

    Args:
        config: kernel, activation and norm.
        incoming: channels of the input.
        channels: channels of the output; where they differ, the shortcut is a convolution of one pixel.
    """

    no_activation = ("shortcut",)

    def __init__(self, config: Cnn, incoming: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(config, incoming, channels), activation(config.activation), *_convolution(config, channels, channels)
        )
        self.shortcut = nn.Identity() if incoming == channels else nn.Conv2d(incoming, channels, 1, bias=False)
        self.bend = activation(config.activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``[n, incoming, height, width]`` to ``[n, channels, height, width]``."""
        out: torch.Tensor = self.bend(self.body(x) + self.shortcut(x))
        return out


class CnnNet(nn.Module):
    """``depth`` blocks of convolution, norm, activation, pooling and dropout, then one hidden layer and a linear output.

    A block pools (halving height and width) while both are at least 2, and the channels double after each pooling. With
    ``global_pooling`` each channel of what remains of the image is averaged, otherwise all of it is flattened into the hidden layer;
    dropout follows its activation.

    Args:
        config: channels, depth, kernel, residual, pooling, global_pooling, activation, norm, conv_dropout, dropout and hidden.
        input_shape: ``(channels, height, width)`` of one image.
        outputs: numbers per image that come out.
        tokens: how many tokens there are; 0: rows are numbers.

    Raises:
        InputError: the rows are not images.
    """

    def __init__(self, config: Cnn, input_shape: tuple[int, ...], outputs: int, tokens: int = 0) -> None:
        super().__init__()
        if len(input_shape) != 3:
            hint = "write family: mlp, or bring an .npz file whose x has the shape [rows, channels, height, width]"
            raise refused("cnn", "images of shape [channels, height, width]", input_shape, tokens, "rnn" if tokens else "mlp", hint)
        incoming, height, width = input_shape
        channels = config.channels
        blocks: list[nn.Module] = []
        for _ in range(config.depth):
            if config.residual:
                blocks.append(Residual(config, incoming, channels))
            else:
                blocks += [*_convolution(config, incoming, channels), activation(config.activation)]
            incoming = channels
            if min(height, width) >= 2:
                blocks.append(nn.MaxPool2d(2) if config.pooling == "max" else nn.AvgPool2d(2))
                height, width, channels = height // 2, width // 2, channels * 2
            blocks.append(Dropout(config.conv_dropout, of="conv_dropout"))
        if config.global_pooling:
            blocks.append(nn.AdaptiveAvgPool2d(1))
            height = width = 1
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


def _convolution(config: Cnn, incoming: int, channels: int) -> list[nn.Module]:
    """A convolution that keeps height and width, and its norm."""
    # A norm that follows has its own shift, so the convolution's bias would be a dead parameter.
    convolution = nn.Conv2d(incoming, channels, config.kernel, padding="same", bias=config.norm == "none")
    return [convolution, nn.BatchNorm2d(channels)] if config.norm == "batch" else [convolution]
