"""What the lanes of a stack drop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.core.dropout import Dropout, Noise, dropouts
from sweeper.core.stack.masks import Masks, drops

CPU = torch.device("cpu")
SHAPES = [(5,), (3, 2, 2)]
"""Of a row at two layers; with three rows their sizes are no multiples of four."""
ROWS, STEPS = 3, 4


class Crossed(nn.Module):
    """Two dropout layers that a row passes in another order than that in which the model holds them, one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.second = Dropout(0.5)
        self.first = Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [n, 5] to [n, 10]."""
        return self.second(torch.cat([self.second(self.first(x))] * 2, 1))


def masks_of(
    probabilities: list[float] | list[tuple[float, float]], seeds: list[int], epoch: int = 1, padded: int = ROWS
) -> list[list[torch.Tensor]]:
    """Of every step, by layer; one probability is both layers'."""
    met = drops(Two(), (5,))
    noises = [Noise(seed, epoch, CPU) for seed in seeds]
    pairs = [p if isinstance(p, tuple) else (p, p) for p in probabilities]
    return list(Masks(met, CPU).of_steps(noises, pairs, STEPS, ROWS, padded))


class Two(nn.Module):
    """Layers that see rows of ``SHAPES``."""

    def __init__(self, p: float = 0.0, second: float | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Dropout(p), Dropout(p if second is None else second, of="conv_dropout")])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [n, 5] to [n, 3, 2, 2]."""
        x = self.layers[0](x)
        return self.layers[1](x.new_ones(len(x), *SHAPES[1]))


def test_layers_are_met_in_the_order_of_the_way_through() -> None:
    """By their place in the model and with the shape of a row there; a layer that is passed twice is met twice."""
    model = Crossed().train()
    assert [(drop.layer, drop.shape) for drop in drops(model, (5,))] == [(1, (5,)), (0, (5,)), (0, (10,))]
    assert not any(dropout._forward_pre_hooks for dropout in dropouts(model))


@pytest.mark.parametrize("p", [(0.1, 0.1), (0.5, 0.5), (0.9, 0.9), (0.2, 0.7), (0.0, 0.4), (0.3, 0.0)])
@pytest.mark.parametrize("neighbours", [((0.3, 0.3), (0.0, 0.0)), ((0.0, 0.6), (0.0, 0.0))])
def test_both_engines_drop_the_very_same_elements(p: tuple[float, float], neighbours: tuple[tuple[float, float], ...]) -> None:
    """A single model's layers, fed ones step by step, give the lane's masks bit for bit, whatever its neighbours drop and where."""
    found = masks_of([neighbours[0], p, neighbours[1]], [7, 8, 9])
    alone = Two(*p).train()
    noise = Noise(8, 1, CPU)
    for layer in dropouts(alone):
        layer.noise = noise
    for step in found:
        expected = [layer(torch.ones(ROWS, *shape)) for layer, shape in zip(dropouts(alone), SHAPES, strict=True)]
        assert all(torch.equal(mask[1], one) for mask, one in zip(step, expected, strict=True))


def test_a_lanes_masks_do_not_depend_on_its_neighbours() -> None:
    """Alone, in another place and beside lanes that drop more, less or nothing."""
    alone = masks_of([0.4], [5])
    for probabilities, seeds, row in (([0.0, 0.4], [1, 5], 1), ([0.4, 0.9, 0.1], [5, 2, 3], 0)):
        for step, single in zip(masks_of(probabilities, seeds), alone, strict=True):
            assert all(torch.equal(mask[row], one[0]) for mask, one in zip(step, single, strict=True))


def test_a_lane_that_drops_nothing_beside_others_keeps_all_as_it_is() -> None:
    """Its masks are ones; where no lane drops anything there are no masks."""
    assert all((mask[0] == 1.0).all() and (mask[1] == 0.0).any() for step in masks_of([0.0, 0.5], [1, 2]) for mask in step)
    assert masks_of([0.0, 0.0], [1, 2]) == [[]] * STEPS


def test_a_layer_in_which_no_lane_drops_anything_costs_no_memory() -> None:
    """Its mask is ones, all of them one number; its rows of padding are zero."""
    for step in masks_of([(0.5, 0.0), (0.1, 0.0)], [1, 2], padded=8):
        assert step[1].shape == (2, 8, *SHAPES[1])
        assert (step[1][:, :ROWS] == 1.0).all()
        assert not step[1][:, ROWS:].any()
        assert step[1].untyped_storage().nbytes() == 8 * 4


def test_layers_say_which_key_they_belong_to() -> None:
    """And the probability of the model at hand."""
    assert [(drop.of, drop.p) for drop in drops(Two(0.1, 0.2), (5,))] == [("dropout", 0.1), ("conv_dropout", 0.2)]


def test_every_epoch_seed_step_and_layer_has_its_own_masks() -> None:
    """No two of them are alike."""
    found = [
        mask[lane].flatten()[:15] for epoch in (1, 2) for step in masks_of([0.5, 0.5], [1, 2], epoch) for mask in step for lane in (0, 1)
    ]
    assert len({tuple(one.tolist()) for one in found}) == len(found) == 2 * STEPS * len(SHAPES) * 2


def test_rows_that_are_padding_are_dropped() -> None:
    """They are zero, and the real rows are what they are without them."""
    for step, plain in zip(masks_of([0.5, 0.2], [1, 2], padded=8), masks_of([0.5, 0.2], [1, 2]), strict=True):
        for mask, one in zip(step, plain, strict=True):
            assert mask.shape[1] == 8
            assert torch.equal(mask[:, :ROWS], one)
            assert not mask[:, ROWS:].any()
