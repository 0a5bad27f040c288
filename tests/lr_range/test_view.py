"""What every picture of a range test shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sweeper.lr_range import view
from sweeper.lr_range.words import rate
from tests.lr_range.invented import LRS, probe, result


@pytest.mark.parametrize(
    ("lr", "words"), [(3.16e-3, "3.2e-3"), (4e-4, "4e-4"), (1e-7, "1e-7"), (0.05, "0.05"), (2.0, "2"), (0.0099, "9.9e-3"), (1e-10, "1e-10")]
)
def test_a_rate_as_people_write_it(lr: float, words: str) -> None:
    """Two digits, a short exponent."""
    assert rate(lr) == words


def test_the_headline_says_the_answer_or_why_there_is_none() -> None:
    """What was tested stands before it."""
    suggestion = result("valley").suggestion
    assert suggestion is not None
    assert view.headline(result("valley")) == f"Learning-rate range test of mlp, adamw: train with lr {rate(suggestion)}"
    assert view.headline(result("noise")).endswith("no answer (no_usable_region)")
    varied = replace(result("valley"), settings={"weight_decay": 1e-4, "batch_size": 32})
    assert view.subject(varied) == "mlp, adamw, weight_decay 0.0001, batch_size 32"


def test_where_it_diverges() -> None:
    """Behind the minimum: back at the start, or no longer finite; a curve of noise does neither."""
    assert view.diverged_at(result("valley")) == pytest.approx(0.167, rel=0.3)
    assert view.diverged_at(replace(result("breaking"), judgement=replace(result("valley").judgement, smoothed=(2.0, 1.0)))) == LRS[2]
    assert view.diverged_at(result("nothing")) is None
    assert view.diverged_at(result("noise")) is None


def test_the_spread_ends_at_divergence() -> None:
    """What the seeds do afterwards says nothing."""
    found = result("valley")
    lowest, highest = view.spread(found)
    end = view.diverged_at(found)
    assert np.all(lowest[:20] <= highest[:20])
    assert np.all(np.isfinite(lowest) == (end >= LRS))


def test_the_axis_holds_the_drop_and_not_the_explosion() -> None:
    """The smoothed curve fills half of it or more, although the loss rises to a thousand times as much."""
    found = result("valley")
    low, high = view.limits(found)
    start, least = view.start_of(found), min(found.judgement.smoothed)
    assert start is not None
    assert low < least < start < high
    assert (start - least) > 0.5 * (high - low)
    assert view.limits(result("nothing")) == (0.0, 1.0)


def test_the_probe_s_axis_does_not_follow_what_broke() -> None:
    """A rate that broke has no mean, and one that is far worse lies above the picture."""
    found = probe()
    assert np.isnan(view.means(found)[-1])
    wild = found.losses.copy()
    wild[:, 0] = 1e6
    assert view.probe_limits(replace(found, losses=wild))[1] < 10


def test_the_search_line_is_a_line_of_a_space() -> None:
    """The refined bracket where there is one."""
    plain, probed = result("valley"), result("probed")
    assert plain.judgement.bracket is not None
    low, high = plain.judgement.bracket
    assert view.search_line(plain) == f"lr: {{log: [{rate(low)}, {rate(high)}]}}"
    assert probed.probe is not None
    assert probed.bracket == probed.probe.verdict.bracket
    assert view.search_line(probed) != view.search_line(plain)
    assert view.search_line(result("noise")) is None


def test_ladders_of_several_lengths_are_told() -> None:
    """Those that had shown nothing are longer than the others."""
    short = replace(result("valley"), horizon=100)
    assert view.span([short, short]) == f"100 steps, {len(short.losses)} seeds each"
    assert view.span([replace(short, horizon=300), short]).startswith("100 or 300 steps,")
