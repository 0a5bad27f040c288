from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from plotly.graph_objects import Figure

from sweeper.config.space import Space
from sweeper.search.past import Past
from sweeper.tracking.figures import figures, page
from sweeper.tracking.finale import leaderboard
from sweeper.tracking.png import png_history, png_learning_curves
from sweeper.trial import Metric, Outcome, Trial
from tests.tracking.hand import SPACE, drawn, reports

SPACE_OF_TWO = Space.parse(SPACE.format(name="mlp", trials=9), "by hand")
ONE_PARAMETER = Space.parse("name: one\nmodel: {family: mlp, dropout: {uniform: [0.0, 0.5]}}\n", "by hand")


def past(space: Space, *outcomes: Outcome | None, equal: bool = False) -> list[Past]:
    """Trials with these outcomes; open ones without reports."""
    made = []
    for number, outcome in enumerate(outcomes):
        resolved = drawn(space, number)
        trial = Trial(number, 0, resolved.values, {}, resolved.shape)
        last = {"val_loss": math.nan} if outcome is Outcome.DIVERGED else {}
        told = () if outcome is None else tuple(reports(0 if equal else number, 3, 0.0, **last))
        made.append(Past(trial, told, outcome))
    return made


def sentence(figure: Figure) -> str | None:
    """What an empty figure says."""
    return figure.layout.annotations[0].text if not figure.data and figure.layout.annotations else None


COMPLETE, PRUNED, DIVERGED = Outcome.COMPLETE, Outcome.PRUNED, Outcome.DIVERGED


def test_a_whole_sweep_gives_four_figures() -> None:
    """All are drawn; optimizers with ranges of their own share the axis of the learning rate."""
    all_of_them = figures(SPACE_OF_TWO, past(SPACE_OF_TWO, *[COMPLETE] * 6, PRUNED, DIVERGED, None))
    assert list(all_of_them) == ["history", "importance", "parallel_coordinates", "learning_curves"]
    assert [sentence(figure) for figure in all_of_them.values()] == [None] * 4
    axes = all_of_them["parallel_coordinates"].layout.xaxis.ticktext
    assert "optimizer.lr" in axes
    assert "model.width" in axes
    assert {trace.name for trace in all_of_them["history"].data} >= {"val_loss", "pruned"}
    assert {trace.name for trace in all_of_them["learning_curves"].data} == {"complete", "pruned", "diverged", "best: trial 0"}


def test_trials_keep_their_numbers_in_the_history() -> None:
    """Whatever the order of closing, and with trials in between that are not drawn, a point stands at its trial's number."""
    records = past(SPACE_OF_TWO, COMPLETE, None, PRUNED, DIVERGED, COMPLETE)
    drawn_history = figures(SPACE_OF_TWO, records[::-1])["history"]
    points = {trace.name: list(trace.x) for trace in drawn_history.data}
    assert points["val_loss"] == [0, 4]
    assert points["pruned"] == [2]


@pytest.mark.parametrize(
    ("space", "outcomes", "equal", "said"),
    [
        (SPACE_OF_TWO, [], False, ["history", "importance", "parallel_coordinates", "learning_curves"]),
        (SPACE_OF_TWO, [None], False, ["history", "importance", "parallel_coordinates", "learning_curves"]),
        (SPACE_OF_TWO, [COMPLETE], False, ["importance", "parallel_coordinates"]),
        (SPACE_OF_TWO, [PRUNED, DIVERGED], False, ["history", "importance", "parallel_coordinates"]),
        (SPACE_OF_TWO, [COMPLETE] * 5, True, ["importance"]),
        (ONE_PARAMETER, [COMPLETE] * 6, False, ["importance"]),
        (ONE_PARAMETER, [COMPLETE] * 2, False, ["importance"]),
    ],
    ids=["no trial", "an open trial", "one complete", "none complete", "equal values", "one parameter", "two trials"],
)
def test_what_cannot_be_drawn_says_why(space: Space, outcomes: Sequence[Outcome | None], equal: bool, said: list[str]) -> None:
    """No figure raises for lack of trials: it holds a sentence instead."""
    made = past(space, *outcomes, equal=equal)
    all_of_them = figures(space, made)
    assert [name for name, figure in all_of_them.items() if sentence(figure)] == said
    assert png_history(made, Metric.VAL_LOSS).startswith(b"\x89PNG")
    assert png_learning_curves(made, Metric.VAL_LOSS).startswith(b"\x89PNG")


def test_the_page_opens_without_a_network() -> None:
    """plotly.js is inside, once, and nothing is fetched."""
    html = page("a & b", figures(SPACE_OF_TWO, past(SPACE_OF_TWO, COMPLETE)))
    assert html.count("plotly.js v") == 1
    assert 'src="http' not in html
    assert len(html) < 6_000_000
    assert "<h1>a &amp; b</h1>" in html


def test_the_leaderboard_puts_complete_trials_first_and_the_best_on_top() -> None:
    """A pruned trial with a better value does not stand above a complete one."""
    made = past(SPACE_OF_TWO, PRUNED, COMPLETE, COMPLETE, DIVERGED, None)
    heading, *rows = leaderboard(SPACE_OF_TWO, reversed(made))
    assert heading[:5] == ["trial", "outcome", "val_loss", "best_epoch", "model.width"]
    assert "optimizer.lr" in heading
    assert [row[:2] for row in rows] == [[1, "complete"], [2, "complete"], [0, "pruned"], [3, "diverged"], [4, "open"]]
    assert rows[-1][2:4] == [None, None]
