"""Dropout and where its masks come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sweeper.config.schema import Cnn, Mlp, Model, Rnn, Transformer
from sweeper.core import models
from sweeper.core.dropout import LEVELS, Dropout, Noise, dropouts, scale, threshold, units

CPU = torch.device("cpu")


def mask(p: float, seed: int = 0, epoch: int = 1, n: int = 200_000) -> torch.Tensor:
    """What a layer makes of ones."""
    layer = Dropout(p).train()
    layer.noise = Noise(seed, epoch, CPU)
    found: torch.Tensor = layer(torch.ones(n))
    return found


@given(st.floats(0, 1, exclude_max=True))
def test_the_expectation_stays(p: float) -> None:
    """Kept shares times what they are multiplied by is one for any probability; that is rounded to 1/65536, and something is kept."""
    kept = (LEVELS // 2 - threshold(p)) / LEVELS
    assert 0 < kept <= 1
    assert abs((1 - kept) - p) <= 1 / LEVELS
    assert kept * scale(p) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("p", [0.01, 0.25, 0.5, 0.9])
def test_elements_are_dropped_as_often_as_told(p: float) -> None:
    """The share of zeros is p within five standard deviations, the others have one value, and the mean is about one."""
    found = mask(p)
    share = (found == 0).double().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / len(found)) ** 0.5 + 1 / LEVELS)
    assert found.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)], rel=1e-3)
    assert found.mean().item() == pytest.approx(1.0, abs=5 * (p / (1 - p) / len(found)) ** 0.5)


def test_every_seed_epoch_and_draw_has_its_own_mask() -> None:
    """The same seed and epoch give the same mask, whatever torch's generator did; all others agree no more than by chance."""
    first = mask(0.5, 1, 1)
    torch.rand(3)
    assert torch.equal(first, mask(0.5, 1, 1))
    layer = Dropout(0.5).train()
    layer.noise = Noise(1, 1, CPU)
    ones = torch.ones(len(first))
    assert torch.equal(layer(ones), first)
    for other in (mask(0.5, 2, 1), mask(0.5, 1, 2), layer(ones)):
        assert (first == other).double().mean().item() == pytest.approx(0.5, abs=0.01)


def test_noise_leaves_torchs_own_generator_alone() -> None:
    """Masks use up nobody's random numbers."""
    torch.manual_seed(5)
    expected = torch.rand(2).tolist()
    torch.manual_seed(5)
    mask(0.5)
    assert torch.rand(2).tolist() == expected


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_draws_in_turn_are_one_draw(sizes: list[int]) -> None:
    """Several draws give what one of all their units gives."""
    one_by_one, at_once = Noise(3, 2, CPU), Noise(3, 2, CPU)
    whole = at_once.draw(sum(units(size) for size in sizes))
    begin = 0
    for size in sizes:
        assert torch.equal(one_by_one.draw(size), whole[begin : begin + size])
        begin += units(size)


def test_the_bits_are_uniform() -> None:
    """All 65,536 values, about equally often: the largest deviation of the distribution is that of chance."""
    drawn = np.sort(Noise(0, 1, CPU).draw(400_000).numpy().astype(float))
    uniform = (drawn + LEVELS // 2 + 1) / LEVELS
    assert np.abs(uniform - np.arange(1, len(drawn) + 1) / len(drawn)).max() < 2.0 / len(drawn) ** 0.5


def test_in_evaluation_nothing_is_dropped() -> None:
    """Nor where the probability is 0, which draws no bits at all."""
    x = torch.randn(50)
    assert torch.equal(Dropout(0.9).eval()(x), x)
    never, noise = Dropout(0.0).train(), Noise(0, 1, CPU)
    never.noise = noise
    assert torch.equal(never(x), x)
    assert torch.equal(noise.draw(8), Noise(0, 1, CPU).draw(8))


def test_somebody_elses_mask_is_taken_as_it_is() -> None:
    """A stack hands its masks in, already scaled."""
    layer = Dropout(0.0).train()
    layer.mask = torch.tensor([0.0, 2.0, 3.0])
    assert layer(torch.ones(3)).tolist() == [0.0, 2.0, 3.0]


def test_a_layers_gradient_is_its_mask() -> None:
    """What was dropped gets none, what was kept gets it scaled."""
    layer = Dropout(0.5).train()
    layer.noise = Noise(0, 1, CPU)
    x = torch.ones(100, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_the_layers_of_a_model_are_found_in_order() -> None:
    """Also nested ones."""
    first, second = Dropout(0.1), Dropout(0.2)
    assert dropouts(nn.Sequential(first, nn.Sequential(nn.Linear(1, 1), second))) == [first, second]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Mlp(width=64, norm="batch", dropout=0.9), (6,)),
        (Cnn(channels=8, dropout=0.9), (1, 8, 8)),
        (Rnn(width=16, dropout=0.9), (6, 3)),
        (Transformer(width=16, heads=2, dropout=0.9), (6, 3)),
    ],
    ids=lambda value: getattr(value, "family", ""),
)
def test_no_dropout_before_the_output(model: Model, shape: tuple[int, ...]) -> None:
    """Whatever is dropped inside, no family drops what it puts out: with nine in ten dropped there, most outputs would be zero."""
    net = models.build(model, shape, 10).train()
    for parameter in net.parameters():
        parameter.data += 0.1
    assert (net(torch.randn(8, *shape)) != 0).all()
