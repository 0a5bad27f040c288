"""Range tests side by side, as small multiples with one loss axis: a still picture and an interactive page."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.lr_range import figure as still
from sweeper.lr_range import page as live
from sweeper.lr_range import view
from sweeper.lr_range.result import LrRangeResult
from sweeper.lr_range.words import rate

COLUMNS = 4
"""Panels beside each other at most, where one optimizer does not need more."""

KEY = "Line: train with. Dashes: at most. Shaded: search. Cross: diverges."

CAPTION = "The panels share the loss axis. A learning rate means something else for every optimizer: compare the losses, not the rates."


def png(results: Sequence[LrRangeResult]) -> bytes:
    """One panel per test, a row per optimizer where there are several settings of each."""
    from matplotlib.figure import Figure

    rows, columns = grid(results)
    drawn = Figure(figsize=(max(9.6, 3.4 * columns), 2.9 * rows + 1.1), dpi=still.DPI, layout="constrained")
    panels = drawn.subplots(rows, columns, sharey=True, squeeze=False)
    for number, axes in enumerate(panels.flat):
        if number >= len(results):
            axes.set_visible(False)
            continue
        result = results[number]
        still.curve(axes, result)
        axes.set_title(_title(result), x=0, ha="left", fontsize=10, fontweight="bold")
        axes.annotate(_answer(result), (0.02, 0.03), xycoords="axes fraction", fontsize=9, color=view.SUGGESTION_COLOUR)
        if result.lrs[0] < 1e-3 * result.lrs[-1]:
            axes.set_xticks([tick for tick in axes.get_xticks() if result.lrs[0] <= tick <= result.lrs[-1]][::2])
        if number % columns == 0:
            axes.set_ylabel("training loss")
        if number + columns >= len(results):
            axes.set_xlabel(view.lr_label(result))
    low, high = _limits(results)
    panels[0, 0].set_ylim(low, high)
    drawn.suptitle(_headline(results), x=0.01, ha="left", fontsize=13, fontweight="bold")
    drawn.supxlabel(f"{CAPTION}\n{KEY}", x=0.01, ha="left", fontsize=9, color=still.GREY)
    return still.rendered(drawn)


def html(results: Sequence[LrRangeResult]) -> str:
    """The same as a page."""
    from plotly.subplots import make_subplots

    rows, columns = grid(results)
    titles = [f"{_title(result)}: {_answer(result)}" for result in results]
    drawn = make_subplots(rows, columns, shared_yaxes="all", subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=0.12)
    for number, result in enumerate(results):
        live.curve(drawn, result, number // columns + 1, number % columns + 1, legend=False)
    live.axes(drawn, results[0], every=2)
    for column in range(1, columns + 1):
        drawn.update_xaxes(title=view.lr_label(results[0]), row=rows, col=column)
    drawn.update_yaxes(range=_limits(results))
    drawn.update_yaxes(title="training loss", col=1)
    drawn.update_annotations(font_size=12)
    drawn.update_layout(title={"text": _headline(results), "subtitle": {"text": f"{CAPTION} {KEY}"}}, height=max(520, 340 * rows + 140))
    return live.page(drawn)


def grid(results: Sequence[LrRangeResult]) -> tuple[int, int]:
    """Rows and columns of panels."""
    optimizers = len({result.optimizer for result in results})
    settings = len(results) // optimizers
    if optimizers > 1 and settings > 1:
        return optimizers, settings
    columns = min(len(results), COLUMNS)
    return -(-len(results) // columns), columns


def _title(result: LrRangeResult) -> str:
    return view.subject(result).removeprefix(f"{result.name}, ")


def _answer(result: LrRangeResult) -> str:
    return str(result.status) if result.suggestion is None else f"train with {rate(result.suggestion)}"


def _headline(results: Sequence[LrRangeResult]) -> str:
    return f"Learning-rate range tests of {results[0].name}, {view.span(results)}"


def _limits(results: Sequence[LrRangeResult]) -> tuple[float, float]:
    every = [view.limits(result) for result in results]
    return min(low for low, _ in every), max(high for _, high in every)
