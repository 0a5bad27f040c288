"""The transformer encoder."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from sweeper.config.schema import Transformer
from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import activation, as_series, lengths, mean_of, refused, steps_of
from sweeper.errors import InputError


class Attention(nn.Module):
    """Self-attention of several heads (Vaswani et al., 2017), with dropout on its weights.

    Without dropout it is torch's ``scaled_dot_product_attention``. With it the weights are written out, because a mask that belongs to
    the trial cannot be handed to that function.
    """

    no_activation = ("project", "merge")

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.drop = Dropout(dropout, of="attention_dropout")
        self._heads = heads

    def forward(self, x: torch.Tensor, counts: torch.Tensor | None) -> torch.Tensor:
        """Maps ``[n, time, width]`` to the same shape; ``counts`` [n, 1, 1, time] says which steps are no padding."""
        n, time, width = x.shape
        query, key, value = self.project(x).view(n, time, 3, self._heads, width // self._heads).permute(2, 0, 3, 1, 4)
        if self.drop.active:
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
            if counts is not None:
                scores = scores.masked_fill(~counts, -math.inf)
            found = self.drop(scores.softmax(-1)).to(value.dtype) @ value
        else:
            self.drop(query.new_empty(1).expand(n, self._heads, time, time))  # so that whoever asks sees where it would drop what
            found = functional.scaled_dot_product_attention(query, key, value, attn_mask=counts)
        out: torch.Tensor = self.merge(found.transpose(1, 2).reshape(n, time, width))
        return out


class FeedForward(nn.Module):
    """Two linear layers with an activation and dropout between them."""

    no_activation = ("down",)

    def __init__(self, width: int, units: int, bend: nn.Module, dropout: float) -> None:
        super().__init__()
        self.up = nn.Linear(width, units)
        self.bend = bend
        self.drop = Dropout(dropout)
        self.down = nn.Linear(units, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``[..., width]`` to the same shape."""
        out: torch.Tensor = self.down(self.drop(self.bend(self.up(x))))
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each on the normed input and added to it (pre-norm; Xiong et al., 2020)."""

    def __init__(self, config: Transformer) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads, config.attention_dropout)
        self.norm = nn.LayerNorm(config.width)
        units = config.width * config.feed_forward
        self.feed_forward = FeedForward(config.width, units, activation(config.activation), config.dropout)

    def forward(self, x: torch.Tensor, counts: torch.Tensor | None) -> torch.Tensor:
        """Maps ``[n, time, width]`` to the same shape."""
        x = x + self.attention(self.attention_norm(x), counts)
        out: torch.Tensor = x + self.feed_forward(self.norm(x))
        return out


class TransformerNet(nn.Module):
    """Vectors of patches, steps or tokens with learned positions, ``depth`` layers, a norm, pooling and a linear output.

    Dropout is on the attention weights and after the feed-forward's activation only.

    Args:
        config: width, heads, depth, feed_forward, patch, pooling, activation, dropout and attention_dropout.
        input_shape: ``(channels, height, width)``, ``(time, features)``, or ``(length,)`` of tokens.
        outputs: numbers per row that come out.
        tokens: how many tokens there are; 0: rows are numbers.

    Raises:
        InputError: the rows are neither images nor series nor text, patches do not cover the image, or heads do not divide the width.
    """

    no_activation = ("embedding",)

    def __init__(self, config: Transformer, input_shape: tuple[int, ...], outputs: int, tokens: int = 0) -> None:
        super().__init__()
        if not tokens and len(input_shape) not in (2, 3):
            raise refused("transformer", "images, series or text", input_shape, tokens, "mlp", "write family: mlp")
        if config.width % config.heads:
            hint = "write heads: 1, or another width"
            raise InputError.of("config", "model.heads", f"{config.heads} with width {config.width}", "a divisor of the width", hint)
        self._patch = config.patch if not tokens and len(input_shape) == 3 else None
        self.embedding: nn.Module
        if tokens:
            time = input_shape[0]
            self.embedding = nn.Embedding(tokens, config.width, padding_idx=0)
        else:
            time, features = steps_of(input_shape) if self._patch is None else _patches_of(input_shape, self._patch)
            self.embedding = nn.Linear(features, config.width)
        self.positions = nn.Embedding(time, config.width)
        self.leader = nn.Embedding(1, config.width) if config.pooling == "class" else None
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, outputs)
        self._text = tokens > 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images ``[n, channels, height, width]``, series ``[n, time, features]`` or tokens ``[n, length]`` to ``[n, outputs]``."""
        length = lengths(x) if self._text else None
        if not self._text:
            x = as_series(x) if self._patch is None else _cut(x, self._patch)
        states = self.embedding(x) + self.positions.weight
        counts = None
        if length is not None:
            counts = torch.arange(states.shape[1], device=x.device) < length.unsqueeze(1)
        if self.leader is not None:
            states = torch.cat([self.leader.weight.to(states.dtype).expand(len(states), 1, -1), states], 1)
            counts = None if counts is None else functional.pad(counts, (1, 0), value=True)
        seen = None if counts is None else counts[:, None, None, :]
        for layer in self.layers:
            states = layer(states, seen)
        states = self.norm(states)
        out: torch.Tensor = self.output(mean_of(states, length) if self.leader is None else states[:, 0])
        return out


def _patches_of(input_shape: tuple[int, ...], patch: int) -> tuple[int, int]:
    """How many patches an image has, and how many numbers each.

    Raises:
        InputError: they do not cover it.
    """
    channels, height, width = input_shape
    if height % patch or width % patch:
        sides = [str(side) for side in range(1, min(height, width) + 1) if not height % side and not width % side]
        found = f"{patch}, which does not divide the height and width of images of {height} x {width}"
        raise InputError.of("config", "model.patch", found, ", ".join(sides), f"write patch: {sides[-2] if len(sides) > 1 else 1}")
    return height * width // patch**2, channels * patch**2


def _cut(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Images ``[n, channels, height, width]`` as patches row by row, ``[n, patches, channels * patch * patch]``."""
    n, channels, height, width = x.shape
    pieces = x.reshape(n, channels, height // patch, patch, width // patch, patch)
    return pieces.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * patch * patch)
