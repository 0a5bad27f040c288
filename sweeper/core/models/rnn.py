"""The recurrent network."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.config.schema import Rnn
from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import activation, as_series, lengths, mean_of, refused, steps_of


class RnnNet(nn.Module):
    """``depth`` recurrent layers, then one hidden layer and a linear output.

    Dropout stands between the recurrent layers and after the hidden layer's activation: what it drops has always passed an activation,
    and the output sees no pooled state directly. Layers that read backwards begin at a text's last token, not at its padding.

    Args:
        config: cell, width, depth, bidirectional, pooling, hidden, activation and dropout.
        input_shape: ``(time, features)``, ``(channels, height, width)`` (read row by row), or ``(length,)`` of tokens.
        outputs: numbers per row that come out.
        tokens: how many tokens there are; 0: rows are numbers.

    Raises:
        InputError: the rows are no series.
    """

    def __init__(self, config: Rnn, input_shape: tuple[int, ...], outputs: int, tokens: int = 0) -> None:
        super().__init__()
        if not tokens and len(input_shape) not in (2, 3):
            raise refused("rnn", "series, images or text", input_shape, tokens, "mlp", "write family: mlp")
        self.embedding = nn.Embedding(tokens, config.width, padding_idx=0) if tokens else None
        incoming = config.width if tokens else steps_of(input_shape)[1]
        cell = nn.GRU if config.cell == "gru" else nn.LSTM
        directions = 2 if config.bidirectional else 1
        self.forwards, self.backwards, self.between = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for layer in range(config.depth):
            self.forwards.append(cell(incoming, config.width, batch_first=True))
            if config.bidirectional:
                self.backwards.append(cell(incoming, config.width, batch_first=True))
            if layer + 1 < config.depth:
                self.between.append(Dropout(config.dropout))
            incoming = config.width * directions
        self.hidden = nn.Sequential(nn.Linear(incoming, config.hidden), activation(config.activation), Dropout(config.dropout))
        self.output = nn.Linear(config.hidden, outputs)
        self._mean = config.pooling == "mean"
        self._width = config.width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps series ``[n, time, features]``, images or tokens ``[n, length]`` to ``[n, outputs]``."""
        length = None if self.embedding is None else lengths(x)
        states = as_series(x) if self.embedding is None else self.embedding(x)
        for layer, forwards in enumerate(self.forwards):
            found, _ = forwards(states)
            if self.backwards:
                back, _ = self.backwards[layer](_turned(states, length))
                found = torch.cat([found, _turned(back, length)], 2)
            states = self.between[layer](found) if layer < len(self.between) else found
        out: torch.Tensor = self.output(self.hidden(mean_of(states, length) if self._mean else self._last(states, length)))
        return out

    def _last(self, states: torch.Tensor, length: torch.Tensor | None) -> torch.Tensor:
        """What each direction has found when it has read all steps: the forward one at the end, the backward one at the beginning."""
        if length is None:
            last = states[:, -1, : self._width]
        else:
            places = (length - 1).view(-1, 1, 1).expand(-1, 1, self._width)
            last = states[:, :, : self._width].gather(1, places).squeeze(1)
        return torch.cat([last, states[:, 0, self._width :]], 1)


def _turned(states: torch.Tensor, length: torch.Tensor | None) -> torch.Tensor:
    """``[n, time, width]`` with the steps that count in reverse order; padding stays where it is."""
    if length is None:
        return states.flip(1)
    places = torch.arange(states.shape[1], device=states.device).expand(len(states), -1)
    turned = torch.where(places < length.unsqueeze(1), length.unsqueeze(1) - 1 - places, places)
    return states.gather(1, turned.unsqueeze(2).expand(-1, -1, states.shape[2]))
