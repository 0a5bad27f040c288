"""How big a model is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.schema import Cnn, Mlp, Model, Rnn, Transformer
from sweeper.core import models
from sweeper.core.loop import train
from sweeper.core.sizes import Size, size_of
from sweeper.data.dataset import Dataset
from tests.core.driving import cut

ATTENTION = 2 * (2 * 4 * 4 * 16)
"""Of four steps and vectors of 16: queries by keys, and weights by values."""


@pytest.mark.parametrize(
    ("config", "shape", "parameters", "flops"),
    [
        (Mlp(widths=[32, 16]), (1, 8, 8), 64 * 32 + 32 + 32 * 16 + 16 + 160 + 10, 2 * (64 * 32 + 32 * 16 + 160)),
        (
            Cnn(channels=4, depth=1, hidden=8, norm="none"),
            (1, 8, 8),
            4 * 9 + 4 + 64 * 8 + 8 + 80 + 10,
            2 * (4 * 9 * 64 + 64 * 8 + 80),
        ),
        (
            Rnn(width=16, hidden=4),
            (5, 3),
            48 * (3 + 16 + 2) + 16 * 4 + 4 + 40 + 10,
            2 * (5 * 48 * (3 + 16) + 64 + 40),
        ),
        (
            Rnn(cell="lstm", width=16, hidden=4),
            (5, 3),
            64 * (3 + 16 + 2) + 16 * 4 + 4 + 40 + 10,
            2 * (5 * 64 * (3 + 16) + 64 + 40),
        ),
        (
            Transformer(width=16, heads=2, depth=1, feed_forward=2),
            (1, 8, 8),
            (17 + 4) * 16 + 3 * 32 + 17 * 48 + 17 * 16 + 17 * 32 + 33 * 16 + 170,
            2 * 4 * (16 * 16 + 16 * 48 + 16 * 16 + 2 * 16 * 32) + ATTENTION + 2 * 160,
        ),
    ],
    ids=["mlp", "cnn", "gru", "lstm", "transformer"],
)
def test_sizes_are_those_on_paper(config: Model, shape: tuple[int, ...], parameters: int, flops: int) -> None:
    """Parameters and operations of each family, counted by hand; the model's mode is left alone."""
    net = models.build(config, shape, 10).train()
    assert size_of(net, shape) == Size(parameters, flops)
    assert net.training


@pytest.mark.parametrize(
    ("config", "shape", "tokens"),
    [
        (Mlp(depth=0), (1, 8, 8), 0),
        (Cnn(channels=4, depth=3, residual=True, global_pooling=True, hidden=8), (1, 8, 8), 0),
        (Rnn(cell="lstm", width=16, depth=2, bidirectional=True, hidden=4), (5, 3), 0),
        (Transformer(width=16, heads=2, pooling="class"), (6,), 30),
    ],
    ids=["linear", "residual", "two-directions", "class-token"],
)
def test_layers_are_counted_as_torch_counts_operations(config: Model, shape: tuple[int, ...], tokens: int) -> None:
    """Wrapped, a model of ours is one of somebody's own, and torch watches it: the same number."""
    net = models.build(config, shape, 10, tokens)
    assert size_of(net, shape, tokens) == size_of(nn.Sequential(net), shape, tokens)


def test_a_model_of_tokens_has_a_size() -> None:
    """Looking up an embedding costs nothing."""
    size = size_of(models.build(Rnn(width=16, hidden=4), (5,), 10, 100), (5,), 100)
    assert size == Size(1600 + 48 * (16 + 16 + 2) + 16 * 4 + 4 + 50, 2 * (5 * 48 * 32 + 64 + 40))


def test_torchs_own_encoder_is_counted() -> None:
    """In evaluation it would run as one kernel that nobody counts; afterwards it may again."""
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    per_token = 8 * 24 + 8 * 8 + 2 * 8 * 16  # queries, keys and values; their output; feed-forward
    assert size_of(net, (5, 8)).flops == 2 * 5 * (per_token + 2 * 5 * 8)
    assert torch.backends.mha.get_fastpath_enabled()


def test_people_read_it_in_units() -> None:
    """Thousands of parameters with commas, operations in kilo, mega and giga."""
    assert str(Size(26122, 51712)) == "26,122 parameters, 51.7 kFLOP a row"
    assert str(Size(1, 900)) == "1 parameters, 900 FLOP a row"
    assert str(Size(10**9, 2 * 10**9)) == "1,000,000,000 parameters, 2 GFLOP a row"


@pytest.mark.parametrize("engine", ["plain", "stacked"])
def test_the_first_report_tells_the_parameters(digits: Dataset, make_trial: Any, engine: str) -> None:
    """Behind engine and precision, and so in the tag of every run."""
    trial = make_trial(model={"width": 32}, training={"epochs": 1, "engine": engine})
    (report,) = next(train([trial], cut(digits, 64, 32), device="cpu"))
    assert (report.how or "").endswith("; 3,466 parameters")
