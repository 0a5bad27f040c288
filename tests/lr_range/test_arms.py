"""The comparison of constant learning rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sweeper.lr_range.arms import compare, means_of, row
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
    """Equal losses have no best."""
    alike = compare(LRS, np.ones((3, 13)))
    assert alike.status is Status.NO_USABLE_REGION
    assert alike.suggestion is alike.band is alike.bracket is None


def test_a_neighbour_that_noise_may_have_put_behind_counts() -> None:
    """Two rates as good as each other: the middle of them, whichever the seeds put first; one that is clearly worse does not count."""
    lrs = np.array([1.0, 3.0, 9.0, 27.0])
    noise = 0.1 * np.array([[0, 1, -1, 0], [0, -1, 1, 0], [0, 1, -1, 0], [0, -1, 1, 0]])
    for shift in (-0.01, 0.01):
        found = compare(lrs, np.array([4.0, 1.0, 1.0 + shift, 4.0]) + noise)
        assert found.suggestion == pytest.approx(np.sqrt(27), rel=0.1)
        assert found.band == (3.0, 9.0)
    clear = compare(lrs, np.array([4.0, 1.0, 2.5, 4.0]) + noise)
    assert clear.suggestion == pytest.approx(3.0, rel=0.01)
    assert compare(lrs, np.array([[4.0, 1.0, 1.01, 4.0]])).suggestion == 3.0  # of one seed, the lowest loss


def test_a_suggestion_lies_in_its_band() -> None:
    """A neighbour that is just not as good draws it beyond the rates that are."""
    lrs = np.array([1.0, 3.0, 9.0])
    losses = np.array([[4.0, 1.0, 1.2], [4.0, 1.0, 1.3], [4.0, 1.0, 1.28]])
    found = compare(lrs, losses + np.array([[0.0], [0.0], [0.02]]))
    assert found.suggestion is not None
    assert found.band is not None
    assert found.bracket is not None
    assert found.bracket[0] < found.band[0] <= found.suggestion <= found.band[1] < found.bracket[1]


def trained(best: float, tried: list[float]) -> Callable[[Sequence[float]], Floats]:
    """Training that ends best at a rate, breaks from ten times that on, and notes what was tried."""

    def train(lrs: Sequence[float]) -> Floats:
        tried.extend(lrs)
        ends = np.where(np.array(lrs) < 10 * best, np.log10(np.array(lrs) / best) ** 2, np.nan)
        return np.stack([ends, ends + 1])

    return train


@pytest.mark.parametrize(("best", "rates"), [(1.0, 3), (5.0, 4), (0.2, 4), (0.01, 7), (1e-5, 9), (1e5, 9)])
def test_a_row_goes_on_where_its_best_rate_is_the_last(best: float, rates: int) -> None:
    """Until the best is inside, or nine were tried; also down from rates that all break. No rate is trained with twice."""
    tried: list[float] = []
    lrs, losses = row(1.0, trained(best, tried))
    assert sorted(tried) == lrs.tolist()
    assert len(lrs) == rates
    assert losses.shape == (2, rates)
    assert lrs[1:] / lrs[:-1] == pytest.approx(np.full(rates - 1, 3.0))
    assert np.array_equal(losses, trained(best, [])(lrs.tolist()), equal_nan=True)
    if rates < 9:
        assert abs(np.log10(compare(lrs, losses).suggestion / best)) < 0.25  # type: ignore[operator]


def test_a_row_may_begin_lower() -> None:
    """Where the best is expected far below."""
    lrs, _ = row(1.0, trained(0.05, []), below=5)
    assert lrs == pytest.approx(3.0 ** np.arange(-5, 2))


def test_a_rate_that_breaks_for_one_seed_is_never_the_best() -> None:
    """Nor is it in the band; where all break there is no answer."""
    losses = valley(1e-3, 0.01)
    losses[1, 6:] = np.nan
    found = compare(LRS, losses)
    assert found.suggestion == pytest.approx(LRS[5])
    assert found.band is not None
    assert found.band[1] == LRS[5]
    assert compare(LRS, np.full((3, 13), np.inf)).status is Status.NON_FINITE


def test_the_scale_and_the_origin_of_the_loss_do_not_matter() -> None:
    """Loss times a factor and plus a number, also below zero: the same answer."""
    losses = valley(1e-3, 0.01)
    assert compare(LRS, 7 * losses - 30).suggestion == pytest.approx(compare(LRS, losses).suggestion)
    assert compare(LRS, 7 * losses - 30).band == pytest.approx(compare(LRS, losses).band)


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
