"""Changes of time series."""

from __future__ import annotations

import pytest
import torch

from sweeper.core.augment import series
from sweeper.core.augment.draws import Draws

CPU = torch.device("cpu")


def draws() -> Draws:
    """The same numbers each time."""
    return Draws(3, 1, CPU)


def test_scaling_multiplies_each_feature_of_each_series() -> None:
    """One factor for all moments; over many series the factors have mean 1 and the deviation asked for."""
    x = torch.rand(500, 7, 3, generator=torch.Generator().manual_seed(0)) + 1.0
    factors = series.scale(x, 0.1, draws()) / x
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert factors[:, 0].mean().item() == pytest.approx(1.0, abs=0.01)
    assert factors[:, 0].std().item() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_a_warped_series_passes_the_same_values_in_the_same_order(strength: float) -> None:
    """A rising line still rises from its first to its last value, but not evenly; all features are warped alike."""
    x = torch.linspace(0, 1, 50).view(1, 50, 1).expand(20, 50, 2).contiguous()
    before = x.clone()
    found = series.time_warp(x, strength, draws())
    assert torch.equal(x, before)
    assert torch.equal(found[..., 0], found[..., 1])
    torch.testing.assert_close(found[:, [0, -1]], x[:, [0, -1]])
    assert (found.diff(dim=1) > 0).all()
    assert (found - x).abs().amax((1, 2)).mean() > 0.02


def test_a_series_of_one_or_two_moments_has_no_time_to_warp() -> None:
    """Its moments are its ends, which stay."""
    for time in (1, 2):
        x = torch.randn(4, time, 3)
        torch.testing.assert_close(series.time_warp(x, 0.5, draws()), x)
