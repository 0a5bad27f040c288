"""Constant rates all the way up, where no ladder shows anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats

from sweeper.lr_range import scan
from sweeper.lr_range.arms import MOST
from sweeper.lr_range.judge import Floats, Status, judge
from sweeper.lr_range.scan import coarse, judged, scanned

LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Floats]] = {
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, size=shape),
    "skewed": lambda rng, shape: rng.lognormal(size=shape),
}


def valley(best: float, gain: float, noise: float) -> Callable[[Sequence[float], range], Floats]:
    """What training ends at: a seed's own loss, less a gain around the best rate, and noise on each of both; far above, it breaks."""

    def train(lrs: Sequence[float], seeds: range) -> Floats:
        away = np.log10(np.array(lrs) / best)
        rows = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            own = 1.4 + 0.3 * rng.normal()
            rows.append(own - gain * np.exp(-((away / 0.7) ** 2)) * rng.uniform(0.7, 1.3) + noise * rng.normal(size=len(lrs)))
        return np.where(away > 2, np.nan, np.array(rows))

    return train


@pytest.mark.parametrize("law", LAWS)
def test_pure_noise_has_no_answer_from_ladders_and_constant_rates_together(law: str) -> None:
    """Of 200 whole tests on noise at most two find anything in it: two ladders, the coarse row, the row about its best, no training."""
    rng = np.random.default_rng(0)

    def train(lrs: Sequence[float], seeds: range) -> Floats:
        return np.asarray(2.3 + 0.1 * LAWS[law](rng, (len(seeds), len(lrs), 75)).mean(axis=2))

    answers = 0
    for _ in range(200):
        ladders = [judge(np.geomspace(1e-7, 10, steps), 2.3 + 0.1 * LAWS[law](rng, (5, steps))) for steps in (100, 300)]
        found, lrs, losses = scanned(1e-7, 10.0, train)
        verdict = judged(lrs, losses, found.still, "loss")
        answers += any(one.suggestion is not None for one in (*ladders, verdict))
    assert answers <= 2


@pytest.mark.parametrize("best", [3e-5, 4e-3, 0.9])
def test_a_gain_far_below_what_the_seeds_differ_by_is_found(best: float) -> None:
    """What the seeds do not have in common is small beside it: common random numbers are what makes it visible."""
    found, lrs, losses = scanned(1e-7, 10.0, valley(best, 0.1, 0.01))
    assert np.std(found.still) > 0.1
    verdict = judged(lrs, losses, found.still, "training loss")
    assert verdict.status is Status.OK
    assert verdict.suggestion is not None
    assert verdict.bracket is not None
    assert abs(np.log10(verdict.suggestion / best)) < 0.3
    assert verdict.bracket[0] < best < verdict.bracket[1]
    assert "without training it is 1." in verdict.sentence


def test_rates_that_are_all_as_good_are_an_answer_if_they_are_better_than_none() -> None:
    """On a wide floor nothing tells one rate from the next, and every one of them learns."""
    rng = np.random.default_rng(0)
    losses = 1.0 + 0.01 * rng.normal(size=(scan.SEEDS, 3))
    verdict = judged(np.array([1e-3, 3e-3, 9e-3]), losses, 1.2 + 0.01 * rng.normal(size=scan.SEEDS), "loss")
    assert verdict.suggestion is not None
    assert verdict.band == (1e-3, 9e-3)


def test_nothing_finite_and_nothing_learnt_are_no_answers() -> None:
    """Rates that all break, and rates that all end where no training does, to the bit."""
    lrs, still = np.array([1e-3, 3e-3, 9e-3]), np.full(scan.SEEDS, 2.0)
    assert judged(lrs, np.full((scan.SEEDS, 3), np.nan), still, "loss").status is Status.NON_FINITE
    same = judged(lrs, np.full((scan.SEEDS, 3), 2.0), still, "loss")
    assert (same.status, same.suggestion) == (Status.NO_USABLE_REGION, None)
    assert "lower loss than no training" in same.sentence


def test_the_row_that_is_tested_has_seeds_of_its_own() -> None:
    """The coarse row chooses; were its seeds tested, its luck would be."""
    asked: list[tuple[int, range]] = []
    train = valley(4e-3, 0.1, 0.01)
    scanned(1e-7, 10.0, lambda lrs, seeds: (asked.append((len(lrs), seeds)), train(lrs, seeds))[1])
    first, *others = asked
    assert first == (9, range(3))
    assert {seeds for _, seeds in others} == {range(3, 9)}
    assert others[0][0] == 1


def test_coarse_rates_end_at_the_highest() -> None:
    """Downwards from there, nine-fold, as long as they are not below the lowest."""
    assert coarse(1e-7, 10.0) == pytest.approx(10 / 9.0 ** np.arange(8, -1, -1))
    assert coarse(1.0, 5.0) == [5.0]
    assert coarse(1.0, 9.0) == pytest.approx([1.0, 9.0])


def test_the_level_is_that_of_student_s_t_shared_out() -> None:
    """Half a per cent over as many rates as a row may have."""
    assert stats.t.sf(scan.SURE, scan.SEEDS - 1) * MOST == pytest.approx(0.005, rel=0.03)
