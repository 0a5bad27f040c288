"""Pictures of a range test: PNG for reports, an interactive page, and a chart for the terminal."""

from __future__ import annotations

import io
import math
import textwrap

import numpy as np

from sweeper.lr_range.judge import Floats
from sweeper.lr_range.run import LrRangeResult

SEED_COLOUR = "#9aa5b1"
CURVE_COLOUR = "#1f4e8c"
SUGGESTION_COLOUR = "#1a7f37"
MAX_COLOUR = "#c2410c"
BRACKET_COLOUR = "#d9ead3"

LR_LABEL = "learning rate"
LOSS_LABEL = "training loss before the step"

BLOCKS = " ▁▂▃▄▅▆▇█"


def png(result: LrRangeResult) -> bytes:
    """A still picture, 1280 x 800 pixels; drawn without pyplot, so no global state is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 6.0), dpi=400 / 3, layout="constrained")
    axes = figure.add_subplot()
    verdict = result.judgement
    if verdict.bracket is not None:
        low, high = verdict.bracket
        axes.axvspan(low, high, color=BRACKET_COLOUR, lw=0, label=f"bracket {low:.2g} .. {high:.2g}")
    for row, losses in enumerate(result.losses):
        axes.plot(result.lrs, losses, color=SEED_COLOUR, lw=0.8, alpha=0.8, label=f"{len(result.losses)} seeds" if row == 0 else None)
    smoothed = verdict.smoothed
    axes.plot(result.lrs[: len(smoothed)], smoothed, color=CURVE_COLOUR, lw=2.4, label="median, smoothed")
    if verdict.suggestion is not None:
        axes.axvline(verdict.suggestion, color=SUGGESTION_COLOUR, lw=1.8, label=f"suggestion {verdict.suggestion:.2g}")
    if verdict.max_lr is not None:
        axes.axvline(verdict.max_lr, color=MAX_COLOUR, lw=1.8, ls="--", label=f"max lr {verdict.max_lr:.2g}")
    axes.set_xscale("log")
    axes.set_xlim(result.lrs[0], result.lrs[-1])
    axes.set_ylim(*_limits(result))
    axes.set_xlabel(f"{LR_LABEL} (log scale)")
    axes.set_ylabel(LOSS_LABEL)
    figure.suptitle(_headline(result), x=0.01, ha="left", fontsize=13, fontweight="bold")
    axes.set_title("\n".join(textwrap.wrap(_subtitle(result), 120)), x=0, ha="left", fontsize=9, color="#444444")
    axes.grid(visible=True, which="major", color="#e5e7eb", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", frameon=False, fontsize=9)
    FigureCanvasAgg(figure)  # the figure saves itself through its canvas
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def html(result: LrRangeResult) -> str:
    """An interactive page in one file: it needs no network to be looked at."""
    import plotly.graph_objects as go

    verdict = result.judgement
    figure = go.Figure()
    for number, losses in enumerate(result.losses):
        shown = [loss if math.isfinite(loss) else None for loss in losses.tolist()]
        figure.add_scatter(x=result.lrs.tolist(), y=shown, name=f"seed {number}", line={"color": SEED_COLOUR, "width": 1}, opacity=0.7)
    smoothed = list(verdict.smoothed)
    lrs = result.lrs[: len(smoothed)].tolist()
    figure.add_scatter(x=lrs, y=smoothed, name="median, smoothed", line={"color": CURVE_COLOUR, "width": 3})
    if verdict.bracket is not None:
        low, high = verdict.bracket
        figure.add_vrect(x0=low, x1=high, fillcolor=BRACKET_COLOUR, opacity=0.6, layer="below", line_width=0)
    # On a logarithmic axis plotly wants annotations at log10(x), but lines at x, so the lines cannot carry their own notes.
    at = {"y": 0.02, "yref": "paper", "showarrow": False}
    if verdict.suggestion is not None:
        figure.add_vline(x=verdict.suggestion, line_color=SUGGESTION_COLOUR)
        figure.add_annotation(x=math.log10(verdict.suggestion), text=f"suggestion {verdict.suggestion:.2g}", xanchor="right", **at)
    if verdict.max_lr is not None:
        figure.add_vline(x=verdict.max_lr, line_color=MAX_COLOUR, line_dash="dash")
        figure.add_annotation(x=math.log10(verdict.max_lr), text=f"max lr {verdict.max_lr:.2g}", xanchor="left", **at)
    figure.update_layout(
        title={"text": _headline(result), "subtitle": {"text": _subtitle(result)}}, template="plotly_white", hovermode="x unified"
    )
    figure.update_xaxes(
        type="log", title=f"{LR_LABEL} (log scale)", exponentformat="power", dtick=1, range=np.log10(result.lrs[[0, -1]]).tolist()
    )
    figure.update_yaxes(title=LOSS_LABEL, range=_limits(result))
    return str(figure.to_html(include_plotlyjs=True, full_html=True))


def chart(result: LrRangeResult, width: int = 64, height: int = 10) -> str:
    """The smoothed curve in block characters, with the suggestion marked below it; empty where there is no curve.

    Args:
        result: of the range test.
        width: columns of the chart; the loss axis takes 9 more, the last label up to 2.
        height: rows of the chart; the axis and the mark take 2 more.
    """
    curve = np.array(result.judgement.smoothed)
    if not len(curve):
        return ""
    low, high = _limits(result)
    levels = np.clip((_columns(result.lrs, curve, width) - low) / (high - low), 0, 1) * height * 8
    lines = []
    for row in range(height - 1, -1, -1):
        edge = {height - 1: f"{high:8.3g}", 0: f"{low:8.3g}"}.get(row, " " * 8)
        bars = "".join(" " if np.isnan(level) else BLOCKS[int(np.clip(round(level) - row * 8, 0, 8))] for level in levels)
        lines.append(f"{edge} {bars.rstrip()}")
    lines.append(" " * 9 + _axis(result.lrs, width))
    if result.judgement.suggestion is not None:
        at = _column(result.lrs, result.judgement.suggestion, width)
        lines.append(" " * (9 + at) + f"▲ suggestion {result.judgement.suggestion:.2g}")
    return "\n".join(lines)


def _columns(lrs: Floats, curve: Floats, width: int) -> Floats:
    """The curve at the middle of each column, NaN behind its end."""
    middles = np.linspace(math.log(lrs[0]), math.log(lrs[-1]), width)
    return np.interp(middles, np.log(lrs[: len(curve)]), curve, right=np.nan)


def _column(lrs: Floats, lr: float, width: int) -> int:
    share = math.log(lr / lrs[0]) / math.log(lrs[-1] / lrs[0])
    return min(max(round(share * (width - 1)), 0), width - 1)


def _axis(lrs: Floats, width: int) -> str:
    """A line with the decades written at their columns."""
    line = [" "] * (width + 8)
    for decade in range(math.ceil(math.log10(lrs[0]) - 1e-9), math.floor(math.log10(lrs[-1]) + 1e-9) + 1):
        label = f"1e{decade}"
        at = _column(lrs, 10.0**decade, width)
        if all(cell == " " for cell in line[max(0, at - 1) : at + len(label)]):
            line[at : at + len(label)] = label
    return "".join(line).rstrip()


def _limits(result: LrRangeResult) -> tuple[float, float]:
    """The loss axis: the whole drop and a third of it above, so that the explosion at the end does not flatten the rest."""
    finite = result.losses[np.isfinite(result.losses)]
    if not len(finite):
        return 0.0, 1.0
    start = float(np.nanmedian(np.where(np.isfinite(result.losses), result.losses, np.nan)[:, : max(1, result.horizon // 5)]))
    drop = max(start - float(np.min(finite)), 0.02 * abs(start), 1e-9)
    return start - 1.05 * drop, start + drop / 3


def _headline(result: LrRangeResult) -> str:
    suggestion = result.judgement.suggestion
    answer = "no suggestion" if suggestion is None else f"suggested lr {suggestion:.2g}"
    return f"Learning-rate range test of {result.name} ({result.optimizer}): {answer} ({result.judgement.status})"


def _subtitle(result: LrRangeResult) -> str:
    seeds = len(result.losses)
    return f"{result.judgement.sentence} - {result.horizon} steps, {seeds} seed{'s' if seeds > 1 else ''}, {result.seconds:.1f} s"
