"""The range test in characters, for a terminal."""

from __future__ import annotations

import math

import numpy as np

from sweeper.lr_range import view
from sweeper.lr_range.judge import Floats
from sweeper.lr_range.result import LrRangeResult, Scale
from sweeper.lr_range.words import rate

BLOCKS = " ▁▂▃▄▅▆▇█"
MARGIN = 9
"""Columns of the loss axis."""


def chart(result: LrRangeResult, width: int = 64, height: int = 10) -> str:
    """The smoothed curve in block characters, below it the bracket with the suggestion in it; empty where there is no curve.

    Args:
        result: of the range test.
        width: columns of the chart; the loss axis takes 9 more.
        height: rows of the chart; the axis and the bracket take 3 more.
    """
    curve = np.array(result.judgement.smoothed)
    if not len(curve):
        return ""
    low, high = view.limits(result)
    levels = np.clip((_columns(result, curve, width) - low) / (high - low), 0, 1) * height * 8
    lines = []
    for row in range(height - 1, -1, -1):
        edge = {height - 1: f"{high:8.3g}", 0: f"{low:8.3g}"}.get(row, " " * (MARGIN - 1))
        bars = "".join(" " if np.isnan(level) else BLOCKS[int(np.clip(round(level) - row * 8, 0, 8))] for level in levels)
        lines.append(f"{edge} {bars}".rstrip())
    return "\n".join([*lines, " " * MARGIN + _axis(result, width), *_marks(result, width)])


def _columns(result: LrRangeResult, curve: Floats, width: int) -> Floats:
    """The curve at the middle of each column, NaN behind its end."""
    places = [view.place(result, lr) for lr in result.lrs[: len(curve)].tolist()]
    return np.interp(np.linspace(0, 1, width), places, curve, right=np.nan)


def _column(result: LrRangeResult, lr: float, width: int) -> int:
    return min(max(round(view.place(result, lr) * (width - 1)), 0), width - 1)


def _axis(result: LrRangeResult, width: int) -> str:
    """A line with the decades, or five even steps, written at their columns."""
    line = [" "] * width
    if result.scale is Scale.LOG:
        first, last = (math.log10(lr) for lr in result.lrs[[0, -1]].tolist())
        ticks = [(10.0**decade, f"1e{decade}") for decade in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)]
    else:
        ticks = [(lr, rate(lr)) for lr in np.linspace(result.lrs[0], result.lrs[-1], 5).tolist()]
    for lr, label in ticks:
        at = min(_column(result, lr, width), width - len(label))
        if all(cell == " " for cell in line[max(0, at - 1) : at + len(label)]):
            line[at : at + len(label)] = label
    return "".join(line).rstrip()


def _marks(result: LrRangeResult, width: int) -> list[str]:
    """The bracket with the suggestion in it, and what they are."""
    suggestion, bracket = result.suggestion, result.bracket
    if suggestion is None or bracket is None:
        return []
    first, at, last = (_column(result, lr, width) for lr in (bracket[0], suggestion, bracket[1]))
    line = [" "] * width
    line[first : last + 1] = "─" * (last + 1 - first)
    line[first], line[last] = "├", "┤"
    line[at] = "▲"
    words = f"search {rate(bracket[0])} to {rate(bracket[1])}, ▲ train with {rate(suggestion)}"
    return [" " * MARGIN + "".join(line).rstrip(), " " * MARGIN + " " * max(0, min(first, width - len(words))) + words]
