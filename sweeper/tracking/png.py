"""The two figures that are also stored as PNG, for places that show no HTML."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sweeper.search.past import Record, finite_points
from sweeper.tracking.curves import BEST_COLOUR, COLOURS, best_value
from sweeper.trial import Metric, Outcome


def png_history(past: Sequence[Record], metric: Metric) -> bytes:
    """Value of each trial at its best epoch by number, and the best complete one so far."""
    figure, axes = _axes("trial", metric.value)
    best: list[tuple[int, float]] = []
    for outcome in (Outcome.PRUNED, Outcome.COMPLETE):
        points = []
        for record in sorted(past, key=lambda record: record.trial.number):
            curve = finite_points(record.reports, metric)
            if record.outcome is outcome and curve:
                points.append((record.trial.number, best_value(curve, metric)))
        if points:
            axes.scatter(
                [number for number, _ in points], [value for _, value in points], s=16, color=COLOURS[outcome], label=outcome.value
            )
        if outcome is Outcome.COMPLETE:
            for number, value in points:
                best.append((number, value if not best or metric.better(value, best[-1][1]) else best[-1][1]))
    if best:
        axes.step(*zip(*best, strict=True), where="post", color=BEST_COLOUR, label="best so far")
    return _png(figure, empty=not best)


def png_learning_curves(past: Sequence[Record], metric: Metric) -> bytes:
    """The metric by epoch of every trial; the best complete one on top."""
    figure, axes = _axes("epoch", metric.value)
    best: tuple[float, int, dict[int, float]] | None = None
    curves: list[list[tuple[int, float]]] = []
    colours: list[str] = []
    for record in past:
        curve = finite_points(record.reports, metric)
        if not curve:
            continue
        curves.append(list(curve.items()))
        colours.append(COLOURS[record.outcome])
        value = best_value(curve, metric)
        if record.outcome is Outcome.COMPLETE and (best is None or metric.better(value, best[0])):
            best = (value, record.trial.number, curve)
    # All as one artist: a line by itself costs a millisecond.
    axes.add_collection(LineCollection(curves, colors=colours, linewidths=0.8, alpha=0.7))
    axes.autoscale_view()
    if best is not None:
        axes.plot(list(best[2]), list(best[2].values()), color=BEST_COLOUR, linewidth=2.2, label=f"best: trial {best[1]}")
    return _png(figure, empty=not curves)


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure, *, empty: bool) -> bytes:
    axes = figure.axes[0]
    if empty:
        axes.text(0.5, 0.5, "nothing to show yet", ha="center", transform=axes.transAxes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
