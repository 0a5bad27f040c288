"""The range test as an interactive page in one file: it needs no network to be looked at."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.lr_range import view
from sweeper.lr_range.nulls import row_of
from sweeper.lr_range.probe import Probe
from sweeper.lr_range.result import LrRangeResult, Scale
from sweeper.lr_range.words import rate

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def html(result: LrRangeResult) -> str:
    """The curve of every seed and what is read off them, and the probe below it if there was one."""
    from plotly.subplots import make_subplots

    probe = result.probe
    rows = 1 if probe is None else 2
    figure = make_subplots(rows, 1, vertical_spacing=0.13, row_heights=[1.0] if probe is None else [0.6, 0.4])
    for number, losses in enumerate(result.losses):
        line = {"color": view.SEED_COLOUR, "width": 1}
        together = {"legendgroup": "seeds", "legendgrouptitle": {"text": "each seed"}, "visible": "legendonly"}
        figure.add_scatter(x=result.lrs.tolist(), y=row_of(losses), name=f"seed {number}", line=line, opacity=0.8, row=1, col=1, **together)
    curve(figure, result, 1, 1, legend=True)
    _captions(figure, result)
    if probe is not None:
        _probe(figure, probe)
    words = _folded(view.caption(result))
    figure.update_layout(title={"text": view.headline(result), "subtitle": {"text": words}}, hovermode="x unified")
    axes(figure, result)
    figure.update_xaxes(title=view.lr_label(result), row=1, col=1)
    if probe is not None:
        ends = np.log10(view.probe_ends(probe)).tolist()
        figure.update_xaxes(type="log", dtick=None, title="constant learning rate (log scale)", range=ends, row=2, col=1)
    figure.update_yaxes(title=view.LOSS_LABEL, range=view.limits(result), row=1, col=1)
    return page(figure)


def page(figure: Figure) -> str:
    """The figure as a page that holds all it needs."""
    figure.update_layout(
        template="plotly_white", margin={"t": 120}, legend={"itemsizing": "constant", "traceorder": "grouped", "groupclick": "togglegroup"}
    )
    return str(figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False, "responsive": True}))


def axes(figure: Figure, result: LrRangeResult, every: int = 1) -> None:
    """The learning rate on every horizontal axis of a figure, with a number at each, or every second, order of magnitude."""
    ends = result.lrs[[0, -1]]
    if result.scale is Scale.LOG:
        figure.update_xaxes(type="log", exponentformat="power", dtick=every, range=np.log10(ends).tolist())
    else:
        figure.update_xaxes(range=ends.tolist())


def curve(figure: Figure, result: LrRangeResult, row: int, col: int, *, legend: bool) -> None:
    """The spread over seeds, the smoothed median, bracket, suggestion, highest rate and divergence, without words."""
    verdict, lrs = result.judgement, result.lrs.tolist()
    here = {"row": row, "col": col, "showlegend": legend}
    lowest, highest = view.spread(result)
    flat = {"color": view.SEED_COLOUR, "width": 0}
    figure.add_scatter(x=lrs, y=row_of(highest), line=flat, hoverinfo="skip", row=row, col=col, showlegend=False)
    figure.add_scatter(
        x=lrs, y=row_of(lowest), line=flat, fill="tonexty", fillcolor="rgba(154, 165, 177, 0.4)", name="lowest to highest seed", **here
    )
    smoothed = list(verdict.smoothed)
    line = {"color": view.CURVE_COLOUR, "width": 3}
    figure.add_scatter(x=lrs[: len(smoothed)], y=smoothed, name="median, smoothed", line=line, **here)
    if result.bracket is not None:
        low, high = result.bracket
        figure.add_vrect(x0=low, x1=high, fillcolor=view.BRACKET_COLOUR, opacity=0.6, layer="below", line_width=0, row=row, col=col)
    if result.suggestion is not None:
        figure.add_vline(x=result.suggestion, line_color=view.SUGGESTION_COLOUR, row=row, col=col)
    if result.max_lr is not None:
        figure.add_vline(x=result.max_lr, line_color=view.MAX_COLOUR, line_dash="dash", row=row, col=col)
    diverged, start = view.diverged_at(result), view.start_of(result)
    if diverged is not None and start is not None:
        marker = {"symbol": "x", "size": 10, "color": view.DIVERGED_COLOUR}
        figure.add_scatter(x=[diverged], y=[start], mode="markers", marker=marker, name=f"diverges from {rate(diverged)}", **here)


def _captions(figure: Figure, result: LrRangeResult) -> None:
    if result.suggestion is None or result.max_lr is None or result.bracket is None:
        return
    # On a logarithmic axis plotly wants annotations at log10(x), but lines at x, so the lines cannot carry their own notes.
    at: dict[str, Any] = {"yref": "y domain", "showarrow": False, "row": 1, "col": 1}
    best, most, low = (_x(result, lr) for lr in (result.suggestion, result.max_lr, result.bracket[0]))
    colour = {"color": view.SUGGESTION_COLOUR}
    figure.add_annotation(x=best, y=0.99, text=f"<b>train with {rate(result.suggestion)}</b>", xanchor="right", font=colour, **at)
    figure.add_annotation(x=most, y=0.99, text=f"at most {rate(result.max_lr)}", xanchor="left", font={"color": view.MAX_COLOUR}, **at)
    words = f"search {rate(result.bracket[0])} to {rate(result.bracket[1])}"
    figure.add_annotation(x=low, y=0.01, text=words, xanchor="left", font=colour, **at)


def _probe(figure: Figure, probe: Probe) -> None:
    verdict, lrs = probe.verdict, probe.lrs.tolist()
    here = {"row": 2, "col": 1}
    for number, losses in enumerate(probe.losses):
        dots = {"color": view.SEED_COLOUR, "size": 6}
        figure.add_scatter(
            x=lrs, y=row_of(losses), mode="markers", marker=dots, name=f"constant rate, seed {number}", showlegend=False, **here
        )
    figure.add_scatter(
        x=lrs,
        y=row_of(view.means(probe)),
        mode="lines+markers",
        line={"color": view.CURVE_COLOUR, "width": 2},
        name="constant rate, mean",
        **here,
    )
    if verdict.band is not None:
        half = math.sqrt(lrs[1] / lrs[0])
        low, high = verdict.band
        # Behind the traces: plotly leaves a panel out that has none yet.
        figure.add_vrect(x0=low / half, x1=high * half, fillcolor=view.BAND_COLOUR, opacity=0.6, layer="below", line_width=0, **here)
    if verdict.suggestion is not None:
        figure.add_vline(x=verdict.suggestion, line_color=view.SUGGESTION_COLOUR, **here)
        at = {"x": math.log10(verdict.suggestion), "y": 0.99, "yref": "y domain", "xanchor": "right", "showarrow": False}
        best = f"<b>best {rate(verdict.suggestion)}</b>"
        figure.add_annotation(text=best, font={"color": view.SUGGESTION_COLOUR}, **at, **here)
    figure.update_yaxes(title=f"{probe.measure.words} after {probe.horizon} steps", **here)
    figure.update_yaxes(range=view.probe_limits(probe), **here)


def _x(result: LrRangeResult, lr: float) -> float:
    return math.log10(lr) if result.scale is Scale.LOG else lr


def _folded(words: str) -> str:
    return "<br>".join(textwrap.wrap(words, 150))
