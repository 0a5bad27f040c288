"""Reading a learning rate off curves."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.lr_range.judge import Floats, Status, judge, moving_average

LRS = np.geomspace(1e-7, 10, 100)


def descent(lrs: Floats, curvature: float = 1.0, noise: float = 0.0, seeds: int = 3) -> Floats:
    """Gradient descent on ``curvature * x**2 / 2`` along the ladder, from x = 1, with noise on top; the loss before each step."""
    rng = np.random.default_rng(0)
    losses = np.empty((seeds, len(lrs)))
    x = np.ones(seeds)
    with np.errstate(over="ignore", invalid="ignore"):
        for step, lr in enumerate(lrs):
            losses[:, step] = curvature * (x**2 / 2 + noise * rng.normal(size=seeds))
            x = x - lr * curvature * (x + (noise + 1e-9) * rng.normal(size=seeds))
    return losses


def training(lrs: Floats, best: float = 1e-2, at: int = 0, seeds: int = 3) -> Floats:
    """A curve like a network's: it falls from 2.3 as the learning rates add up, and rises once they pass ``best``."""
    rng = np.random.default_rng(at)
    decades = np.log10(lrs / best)
    fall = 2.0 / (1 + np.exp(4 * (decades + 0.7)))
    rise = np.exp(np.clip(4 * (decades - 0.3), None, 20)) * 0.05
    return 0.3 + fall + rise + 0.03 * rng.normal(size=(seeds, len(lrs)))


def test_the_numbers_follow_from_the_edge() -> None:
    """The limit is a seventh of the lr at which six tenths of the drop are lost again, the suggestion half of it, the bracket around it."""
    found = judge(LRS, training(LRS))
    assert found.status is Status.OK
    assert found.suggestion is not None
    assert found.max_lr is not None
    edge = found.max_lr * 7
    smoothed = np.array(found.smoothed)
    lowest, start = float(smoothed.min()), 2.3
    lost = (np.interp(math.log(edge), np.log(LRS), smoothed) - lowest) / (start - lowest)
    assert 0.5 < lost < 0.9
    assert found.suggestion == found.max_lr / 2
    assert found.bracket == (found.suggestion / 10, found.suggestion * 6)
    assert f"{found.suggestion:.2g}" in found.sentence


def test_plain_gradient_descent_may_take_the_limit() -> None:
    """Without momentum the loss answers at once, so the suggestion is the limit itself; everything else stays."""
    late, plain = judge(LRS, training(LRS)), judge(LRS, training(LRS), plain=True)
    assert plain.suggestion == plain.max_lr == late.max_lr
    assert (plain.confidence, plain.smoothed) == (late.confidence, late.smoothed)


def test_a_loss_that_never_rises_much_has_no_distant_edge() -> None:
    """Where little is lost again, the limit is about twice the lr with the lowest loss, however far the ladder goes on."""
    losses = np.minimum(training(LRS, best=1e-3), 0.9 + 1.4 * (LRS < 1e-3))
    found = judge(LRS, losses)
    assert found.status is Status.OK
    lowest = float(LRS[int(np.argmin(found.smoothed))])
    assert found.max_lr == pytest.approx(2 * lowest, rel=0.5)


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
def test_scaling_and_shifting_the_loss_change_nothing(scale: float, shift: float) -> None:
    """Loss * c + d gives the same answer; losses may be negative."""
    plain, other = judge(LRS, training(LRS)), judge(LRS, training(LRS) * scale + shift)
    assert (other.status, other.suggestion, other.bracket) == (plain.status, plain.suggestion, plain.bracket)


@pytest.mark.parametrize("curvature", [0.13, 11.0, 1300.0])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_suggestion_is_stable_on_a_quadratic_and_scales_with_its_curvature(curvature: float, noise: float) -> None:
    """On curvature c it lies below the stability limit 2/c, by less than a decade, and halves when c doubles."""
    lrs = np.geomspace(1.1e-7, 1000, 121)
    found, unit = (judge(lrs, descent(lrs, c, noise), plain=True) for c in (curvature, 1.0))
    assert found.suggestion is not None
    assert unit.suggestion is not None
    assert found.status is Status.OK
    assert 0.2 / curvature < found.suggestion < 2 / curvature
    assert math.log10(found.suggestion * curvature / unit.suggestion) == pytest.approx(0, abs=0.17)  # two rungs


@pytest.mark.parametrize(("steps", "tolerance"), [(100, 0.1), (1000, 0.01), (10_000, 0.002)])
@pytest.mark.parametrize("curvature", [0.1, 30.0])
def test_a_quadratic_is_back_at_its_start_past_the_limit(steps: int, tolerance: float, curvature: float) -> None:
    """Descent without noise on a geometric ladder: lowest at lr * c = 2, and back at 12.6, for any number of steps."""
    lrs = np.geomspace(1.1e-5, 1270, steps) / curvature
    falls = 2 * np.log(np.abs(1 - lrs * curvature))
    logs = np.concatenate([[0.0], np.cumsum(falls)[:-1]])
    lowest = int(np.argmin(logs))
    back = lowest + int(np.flatnonzero(logs[lowest:] >= 0)[0])
    share = -logs[back - 1] / (logs[back] - logs[back - 1])
    # A loss stands at the lr of the step after it, half a step of the ladder beyond the lrs that made it.
    crossed = lrs[back] * (lrs[1] / lrs[0]) ** (share - 1.5)
    assert lrs[lowest] * curvature == pytest.approx(2.0, rel=2 * tolerance)
    assert crossed * curvature == pytest.approx(12.595, rel=tolerance)


def test_ladders_agree() -> None:
    """50, 100 or 300 steps over three ranges give answers within half a decade of each other."""
    logs = [
        math.log10(judge(lrs, training(lrs, at=at)).suggestion or math.nan)
        for steps in (50, 100, 300)
        for low, high in ((1e-8, 1.0), (1e-7, 10.0), (1e-5, 100.0))
        for at in range(3)
        for lrs in [np.geomspace(low, high, steps)]
    ]
    assert max(logs) - min(logs) < 0.5


NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, size=shape),
    "skewed": lambda rng, shape: rng.lognormal(size=shape),
    "outliers": lambda rng, shape: rng.normal(size=shape) + 20 * (rng.random(shape) < 0.02),
}


@pytest.mark.parametrize("law", NOISES)
@pytest.mark.parametrize(("seeds", "steps"), [(1, 100), (3, 50), (5, 100), (5, 300)])
def test_pure_noise_has_no_answer(law: str, seeds: int, steps: int) -> None:
    """Of 200 tests of pure noise at most two find anything in it."""
    rng = np.random.default_rng(seeds)
    lrs = np.geomspace(1e-7, 10, steps)
    found = [judge(lrs, 2.3 + 0.1 * NOISES[law](rng, (seeds, steps))) for _ in range(200)]
    assert sum(one.suggestion is not None for one in found) <= 2
    assert all(one.status is Status.NO_USABLE_REGION for one in found if one.suggestion is None)


@pytest.mark.parametrize("law", NOISES)
def test_pure_noise_on_a_linear_ladder_has_no_answer(law: str) -> None:
    """The few points that a linear ladder starts with do not make noise look like a fall."""
    rng = np.random.default_rng(0)
    lrs = np.linspace(1e-3, 0.1, 100)
    found = [judge(lrs, 2.3 + 0.1 * NOISES[law](rng, (5, 100))) for _ in range(200)]
    assert sum(one.suggestion is not None for one in found) <= 2


def test_a_model_that_only_explodes_has_no_usable_region() -> None:
    """A loss that stays where it was and then explodes gives no number."""
    flat = 2.3 + 0.03 * np.random.default_rng(0).normal(size=(3, 100))
    found = judge(LRS, flat + np.exp(np.clip(3 * np.log10(LRS), None, 5)))
    assert found.status is Status.NO_USABLE_REGION
    assert found.suggestion is found.max_lr is found.bracket is None
    assert "noise" in found.sentence


def test_a_constant_loss_has_no_usable_region() -> None:
    """A loss without any noise that never changes is no division by zero."""
    assert judge(LRS, np.full((3, 100), 2.0)).status is Status.NO_USABLE_REGION


def test_what_follows_a_divergence_is_ignored() -> None:
    """After a seed's first non-finite loss, finite values no longer count."""
    losses = training(LRS)
    losses[:, 85:] = np.nan
    again = losses.copy()
    again[:, 86:] = -1000.0
    assert judge(LRS, again) == judge(LRS, losses)
    assert len(judge(LRS, losses).smoothed) == 85


def test_one_bad_seed_does_not_spoil_the_others() -> None:
    """A seed that breaks at once leaves the answer of the other two about where it was."""
    losses = training(LRS)
    plain = judge(LRS, losses)
    losses[1, 1:] = np.inf
    found = judge(LRS, losses)
    assert found.status is Status.OK
    assert found.suggestion == pytest.approx(plain.suggestion, rel=1.0)


def test_how_high_an_explosion_goes_is_of_no_consequence() -> None:
    """Beyond what the test started from, a loss is as bad as any other."""
    losses = training(LRS)
    higher = np.where(losses > 2.6, losses * 1e6, losses)
    assert judge(LRS, higher).suggestion == judge(LRS, losses).suggestion


def test_outliers_are_pulled_in() -> None:
    """Single wild losses, high and low, leave the answer about where it was, even with one seed."""
    losses = training(LRS, seeds=1)
    plain = judge(LRS, losses)
    losses[0, [5, 30, 50, 60]] += 30
    losses[0, [15, 40]] -= 30
    found = judge(LRS, losses)
    assert found.status is Status.OK
    assert found.suggestion == pytest.approx(plain.suggestion, rel=0.3)


def test_seeds_that_agree_give_confidence() -> None:
    """With like curves every draw of seeds agrees, and the band is narrow and holds the suggestion; the same draws are made every time."""
    found = judge(LRS, training(LRS, seeds=5))
    assert found.confidence == 1.0
    assert found.band is not None
    assert found.suggestion is not None
    assert found.band[0] <= found.suggestion <= found.band[1] < 1.5 * found.band[0]
    assert judge(LRS, training(LRS, seeds=5)) == found


def test_seeds_that_disagree_give_none() -> None:
    """Two seeds with edges two decades apart from those of three others: other draws would have said something else."""
    losses = np.concatenate([training(LRS, best=1e-2, seeds=3), training(LRS, best=1e-4, seeds=2)])
    found = judge(LRS, losses)
    assert found.confidence is not None
    assert found.confidence < 0.9
    assert found.band is not None
    assert found.band[1] > 10 * found.band[0]


def test_one_seed_cannot_tell_how_sure_it_is() -> None:
    """With one seed, and where there is no number, there is neither confidence nor band."""
    for found in (judge(LRS, training(LRS, seeds=1)), judge(LRS, np.full((3, 100), 2.0))):
        assert found.confidence is found.band is None


def test_a_linear_ladder_is_judged_by_its_lowest_loss() -> None:
    """Smith's original: on curvature 1 with noise the suggestion lies below the limit of 2 and within a factor of four of it."""
    lrs = np.linspace(0.05, 5, 100)
    found = judge(lrs, descent(lrs, noise=0.1, seeds=5), plain=True)
    assert found.status is Status.OK
    assert found.suggestion is not None
    assert 0.5 < found.suggestion < 2


def test_a_ladder_that_ends_too_early_is_told() -> None:
    """When the loss still falls at the last learning rate, the upper edge is open; unless the ladder was made to end there."""
    lrs = np.geomspace(1e-7, 5e-3, 100)
    found = judge(lrs, training(lrs))
    assert found.status is Status.EDGE_OPEN_HIGH
    assert "upper end" in found.sentence
    meant = judge(lrs, training(lrs), bounded=True)
    assert (meant.status, meant.suggestion) == (Status.OK, found.suggestion)
    assert "upper end" not in meant.sentence


def test_a_ladder_that_starts_too_late_is_told() -> None:
    """When a fifth of the best learning rate lies below the first one, the lower edge is open."""
    lrs = np.geomspace(4e-3, 10, 100)
    found = judge(lrs, training(lrs))
    assert found.status is Status.EDGE_OPEN_LOW
    assert "lower end" in found.sentence


def test_a_ladder_that_diverges_at_once_is_told() -> None:
    """When the loss only rises from the first steps on, or is gone before the start is over, there is no number."""
    lrs = np.geomspace(10, 1e4, 100)
    assert judge(lrs, descent(lrs)).status is Status.DIVERGED_FROM_START
    gone = np.full((3, 100), np.nan)
    gone[:, :5] = 2.3
    assert judge(LRS, gone).status is Status.DIVERGED_FROM_START


def test_a_loss_that_is_never_finite_is_told() -> None:
    """When most seeds start with NaN or infinity there is no number."""
    assert judge(LRS, np.full((3, 100), np.nan)).status is Status.NON_FINITE
    assert judge(LRS, np.full((3, 100), np.inf)).status is Status.NON_FINITE


def test_a_short_ladder_is_told() -> None:
    """A handful of steps is not judged."""
    assert judge(LRS[:10], training(LRS)[:, :10]).status is Status.TOO_FEW_STEPS


@pytest.mark.parametrize(
    ("lrs", "losses"),
    [
        (LRS, np.ones(100)),
        (LRS, np.ones((3, 99))),
        (LRS[::-1], np.ones((3, 100))),
        (LRS - 1e-7, np.ones((3, 100))),
        (LRS, np.ones((0, 100))),
    ],
)
def test_arrays_that_do_not_fit_are_refused(lrs: Floats, losses: Floats) -> None:
    """A wrong shape, or learning rates that do not ascend from above zero, are errors of the caller."""
    with pytest.raises(ValueError, match=r"rows? of losses|ascend"):
        judge(lrs, losses)


def test_the_moving_average_has_no_lag() -> None:
    """A symmetric valley keeps its place, a straight line its values, and the ends are means of what is there."""
    valley = np.abs(np.arange(-30, 31)).astype(float)
    assert int(np.argmin(moving_average(valley, 11))) == 30
    line = np.arange(20.0)
    assert moving_average(line, 5)[2:-2] == pytest.approx(line[2:-2])
    assert moving_average(line, 5)[0] == pytest.approx(1.0)
    assert len(moving_average(line[:3], 11)) == 3
