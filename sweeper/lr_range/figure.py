"""The range test as a still picture for reports; drawn without pyplot, so no global state is touched."""

from __future__ import annotations

import io
import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.lr_range import view
from sweeper.lr_range.probe import Probe
from sweeper.lr_range.result import LrRangeResult, Scale
from sweeper.lr_range.words import rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 400 / 3
GREY = "#444444"


def png(result: LrRangeResult) -> bytes:
    """The curve with what is read off it, and the probe below it if there was one: 1280 x 800 pixels, with a probe 1280 x 1200."""
    from matplotlib.figure import Figure

    probe = result.probe
    figure = Figure(figsize=(9.6, 6.0 if probe is None else 9.0), dpi=DPI, layout="constrained")
    panels = figure.subplots(1 if probe is None else 2, 1, squeeze=False, height_ratios=[1] if probe is None else [3, 2])[:, 0]
    curve(panels[0], result)
    panels[0].set_ylabel(view.LOSS_LABEL)
    _captions(panels[0], result)
    if result.looks is not None:
        _looks(panels[0], result)
    if probe is not None:
        _probe(panels[1], probe)
    panels[0].set_xlabel(view.lr_label(result))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(view.headline(result), x=0.01, ha="left", fontsize=13, fontweight="bold")
    words = "\n".join(textwrap.wrap(view.caption(result), 125))
    panels[0].set_title(words, x=0, ha="left", fontsize=9, color=GREY)
    return rendered(figure)


def rendered(figure: Figure) -> bytes:
    """The figure as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)  # the figure saves itself through its canvas
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def curve(axes: Axes, result: LrRangeResult) -> None:
    """The spread over seeds, the smoothed median, bracket, suggestion, highest rate and divergence, without words."""
    verdict = result.judgement
    if result.bracket is not None:
        axes.axvspan(*result.bracket, color=view.BRACKET_COLOUR, lw=0)
    low, high = view.limits(result)
    lowest, highest = (np.clip(edge, low - (high - low), high + (high - low)) for edge in view.spread(result))
    axes.fill_between(result.lrs, lowest, highest, color=view.SEED_COLOUR, alpha=0.45, lw=0, label="lowest to highest seed")
    words = f"median of {len(result.losses)} seeds, smoothed"
    axes.plot(result.lrs[: len(verdict.smoothed)], verdict.smoothed, color=view.CURVE_COLOUR, lw=2.4, label=words)
    if result.suggestion is not None:
        axes.axvline(result.suggestion, color=view.SUGGESTION_COLOUR, lw=1.8)
    if result.max_lr is not None:
        axes.axvline(result.max_lr, color=view.MAX_COLOUR, lw=1.8, ls="--")
    diverged, start = view.diverged_at(result), view.start_of(result)
    if diverged is not None and start is not None:
        axes.plot([diverged], [start], marker="X", ms=9, color=view.DIVERGED_COLOUR, mec="white", ls="none", zorder=5)
    axes.set_xscale(result.scale.value)
    axes.set_xlim(result.lrs[0], result.lrs[-1])
    axes.set_ylim(low, high)
    plain(axes)


def plain(axes: Axes) -> None:
    """Faint grid, no box."""
    axes.grid(visible=True, which="major", color="#e5e7eb", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _captions(axes: Axes, result: LrRangeResult) -> None:
    """Words beside the marks, where the axis was left free for them: above the plateau, and at the foot of the bracket."""
    if result.suggestion is not None and result.max_lr is not None and result.bracket is not None:
        best, most, low, high = (
            min(max(lr, float(result.lrs[0])), float(result.lrs[-1])) for lr in (result.suggestion, result.max_lr, *result.bracket)
        )
        left = view.place(result, best) > 0.25  # else the words would leave the picture
        _beside(axes, best, f"train with {rate(result.suggestion)}", view.SUGGESTION_COLOUR, left=left, bold=True)
        _beside(axes, most, f"at most {rate(result.max_lr)}", view.MAX_COLOUR, left=False, height=0.98 if left else 0.92)
        middle = math.sqrt(low * high) if result.scale is Scale.LOG else (low + high) / 2
        _within(axes, middle, "search", result.bracket, view.BRACKET_COLOUR)
    diverged, start = view.diverged_at(result), view.start_of(result)
    if diverged is not None and start is not None:
        left = view.place(result, diverged) > 0.8
        place: dict[str, Any] = {"ha": "right" if left else "left", "va": "top", "color": view.DIVERGED_COLOUR}
        axes.annotate(f"diverges from {rate(diverged)}", (diverged, start), (-9 if left else 9, -5), textcoords="offset points", **place)


def _beside(axes: Axes, lr: float, words: str, colour: str, *, left: bool, bold: bool = False, height: float = 0.98) -> None:
    """Words at the top of a vertical line."""
    place: dict[str, Any] = {"ha": "right" if left else "left", "va": "top", "color": colour, "fontweight": "bold" if bold else "normal"}
    at = axes.get_xaxis_transform()
    axes.annotate(words, (lr, height), (-5 if left else 5, 0), xycoords=at, textcoords="offset points", **place)


def _within(axes: Axes, lr: float, name: str, bracket: tuple[float, float], background: str) -> None:
    """What the shaded learning rates are, at the foot of them."""
    words, box = f"{name} {rate(bracket[0])} to {rate(bracket[1])}", {"facecolor": background, "edgecolor": "none", "pad": 2}
    axes.text(lr, 0.03, words, transform=axes.get_xaxis_transform(), ha="center", color=view.SUGGESTION_COLOUR, bbox=box)


def _looks(axes: Axes, result: LrRangeResult) -> None:
    """The score on the validation part, on an axis of its own."""
    looks = result.looks
    if looks is None:
        return
    other = axes.twinx()
    with np.errstate(all="ignore"):
        medians = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else np.nan for column in looks.values.T])
    other.plot(looks.lrs, medians, color=view.LOOKS_COLOUR, lw=1.2, ls=":", marker="o", ms=3)
    other.set_ylabel(f"{looks.name}, median over seeds (shown, not judged)", color=view.LOOKS_COLOUR)
    other.set_ylim(min(0.0, float(np.nanmin(medians, initial=0.0))), 1.0)
    other.spines[["top"]].set_visible(False)


def _probe(axes: Axes, probe: Probe) -> None:
    """What each constant rate ended at, every seed a dot, with the rates that are as good as the best."""
    verdict = probe.verdict
    if verdict.bracket is not None and verdict.band is not None:
        axes.axvspan(*verdict.bracket, color=view.BRACKET_COLOUR, lw=0)
        _within(axes, math.sqrt(verdict.band[0] * verdict.band[1]), "search", verdict.bracket, view.BAND_COLOUR)
        low, high = verdict.band
        half = float(np.sqrt(probe.lrs[1] / probe.lrs[0]))
        axes.axvspan(low / half, high * half, color=view.BAND_COLOUR, lw=0)
    for row in probe.losses:
        axes.plot(probe.lrs, row, color=view.SEED_COLOUR, marker="o", ms=3.5, ls="none")
    axes.plot(probe.lrs, view.means(probe), color=view.CURVE_COLOUR, lw=1.8, marker="o", ms=5)
    if verdict.suggestion is not None:
        axes.axvline(verdict.suggestion, color=view.SUGGESTION_COLOUR, lw=1.8)
        _beside(axes, verdict.suggestion, f"best {rate(verdict.suggestion)}", view.SUGGESTION_COLOUR, left=True, bold=True)
    axes.set_xscale("log")
    axes.set_xlim(*view.probe_ends(probe))
    axes.set_ylim(*view.probe_limits(probe))
    axes.set_xlabel("constant learning rate (log scale)")
    axes.set_ylabel(f"{probe.measure.words} after {probe.horizon} steps")
    words = "\n".join(textwrap.wrap(f"Constant rates, {len(probe.losses)} seeds on the same rows: {verdict.sentence}.", 125))
    axes.set_title(words, x=0, ha="left", fontsize=9, color=GREY)
    plain(axes)
