"""The comparison of constant learning rates."""

from __future__ import annotations

import numpy as np
import pytest

from sweeper.lr_range.arms import compare, means_of
from sweeper.lr_range.judge import Floats, Status

LRS = np.geomspace(1e-4, 1e-2, 13)


def valley(at: float, noise: float, seed: int = 0, seeds: int = 3) -> Floats:
    """Losses of a parabola in log lr; each seed has a loss of its own in common, and noise at each rate."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(seeds, 1))
    return np.log10(LRS / at) ** 2 + shared + noise * random.normal(size=(seeds, 13))


def test_the_best_rate_is_found_whatever_the_seeds_have_in_common() -> None:
    """Seeds that differ by a hundred times the noise do not hide which rate is best, since all of them train all rates."""
    found = compare(LRS, valley(1e-3, 0.01))
    assert found.status is Status.OK
    assert found.suggestion == pytest.approx(1e-3, rel=0.5)
    assert found.band is not None
    assert found.bracket is not None
    assert found.bracket[0] < found.band[0] <= found.suggestion <= found.band[1] < found.bracket[1]
    assert found.bracket[0] <= found.suggestion / 5
    assert found.bracket[1] >= found.suggestion * 2
    assert found.error == pytest.approx(0.01 * np.sqrt(2 / 3), rel=0.5)


def test_noise_widens_the_band() -> None:
    """What cannot be told apart is as good."""
    widths = [np.log10(found.band[1] / found.band[0]) for noise in (0.001, 0.1) if (found := compare(LRS, valley(1e-3, noise))).band]
    assert widths[1] > widths[0] + 0.3


@pytest.mark.parametrize(("at", "status"), [(1e-5, Status.EDGE_OPEN_LOW), (1e-1, Status.EDGE_OPEN_HIGH)])
def test_a_best_rate_at_the_edge_is_told(at: float, status: Status) -> None:
    """Further ones may be better: there is an answer, and the sentence says so."""
    found = compare(LRS, valley(at, 0.01))
    assert found.status is status
    assert found.suggestion in LRS[[0, -1]]
    assert "may be better still" in found.sentence


def test_rates_that_do_not_differ_give_no_answer() -> None:
    """Pure noise passes as a difference in at most 1% of 200 draws; equal losses never."""
    random = np.random.default_rng(0)
    found = [compare(LRS, random.normal(size=(3, 13))).status for _ in range(200)]
    assert sum(status is not Status.NO_USABLE_REGION for status in found) <= 2
    assert compare(LRS, np.ones((3, 13))).status is Status.NO_USABLE_REGION


def test_a_rate_that_breaks_for_one_seed_is_never_the_best() -> None:
    """Nor is it in the band; where all break there is no answer."""
    losses = valley(1e-3, 0.01)
    losses[1, 6:] = np.nan
    found = compare(LRS, losses)
    assert found.suggestion == LRS[5]
    assert found.band is not None
    assert found.band[1] == LRS[5]
    assert compare(LRS, np.full((3, 13), np.inf)).status is Status.NON_FINITE


def test_the_scale_and_the_origin_of_the_loss_do_not_matter() -> None:
    """Loss times a factor and plus a number, also below zero: the same answer."""
    losses = valley(1e-3, 0.01)
    assert compare(LRS, 7 * losses - 30).suggestion == compare(LRS, losses).suggestion
    assert compare(LRS, 7 * losses - 30).band == compare(LRS, losses).band


def test_one_seed_has_no_error() -> None:
    """Then the band is the best rate alone."""
    means, error = means_of(valley(1e-3, 0.0, seeds=1))
    assert error == 0.0
    assert np.argmin(means) == 6


@pytest.mark.parametrize("shape", [(3, 12), (13,), (0, 13)])
def test_arrays_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    """A row per seed, a column per rate."""
    with pytest.raises(ValueError, match="one row of losses per seed"):
        compare(LRS, np.ones(shape))
