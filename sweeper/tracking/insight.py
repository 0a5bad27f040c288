"""Pictures of one trained model: its training in four panels, its classes, its surest mistakes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeper.core.diagnose import WATCHED
from sweeper.tracking.curves import BEST_COLOUR, COLOURS
from sweeper.tracking.words import number
from sweeper.trial import Outcome, Report

TRAIN, VAL = "#e0a030", COLOURS[Outcome.COMPLETE]
SCORES = ("accuracy", "f1_macro", "r2")
"""What the second panel shows: the first of these that there is."""
FLAT_LETTERS = 32
"""So many letters fit below a confusion matrix side by side."""
MOST_CLASSES = 40
"""Beyond, neither names nor numbers can be read: the confusion matrix is drawn without, and the table holds the weakest classes."""


def pictures(insight: Mapping[str, Any], reports: Sequence[Report], best_epoch: int) -> dict[str, bytes]:
    """PNGs by file name: ``monitor.png``, and by task ``classes.png`` or ``residuals.png``, and ``wrong.png``.

    Args:
        insight: as ``sweeper.production.insight.insight_of`` makes it.
        reports: of the training, in order of epoch.
        best_epoch: whose model it is.
    """
    found = {"monitor.png": monitor_figure(reports, best_epoch)}
    if "classes" in insight:
        found["classes.png"] = classes_figure(insight)
    if "points" in insight:
        found["residuals.png"] = residuals_figure(insight)
    found["wrong.png"] = wrong_figure(insight)
    return {name: _png(figure) for name, figure in found.items()}


def monitor_figure(reports: Sequence[Report], best_epoch: int) -> Figure:
    """Loss, score, gradient norm and learning rate by epoch, two by two."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    loss, score, gradient, rate = (_plain(axes) for axes in figure.subplots(2, 2).flat)
    _lines(loss, reports, {"train_loss": ("training", TRAIN), "val_loss": ("validation", VAL)}, "loss")
    name = next((name for name in SCORES if any(f"val_{name}" in report.metrics for report in reports)), SCORES[0])
    _lines(score, reports, {f"train_{name}": ("training", TRAIN), f"val_{name}": ("validation", VAL)}, name.replace("_", " "))
    norms = {f"{WATCHED}grad_norm_max": ("largest of the epoch", "#bab0ac"), "grad_norm": ("mean of the epoch", VAL)}
    _lines(gradient, reports, norms, "gradient norm before clipping", log=True)
    _lines(rate, reports, {"lr": ("of the epoch's last step", VAL)}, "learning rate")
    for axes in (loss, score, gradient, rate):
        axes.axvline(best_epoch, color=BEST_COLOUR, linewidth=1, linestyle=":")
        axes.set_xlabel("epoch")
    loss.plot([], [], color=BEST_COLOUR, linestyle=":", label=f"best epoch, {best_epoch}")
    for axes in (loss, score, gradient):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    return figure


def classes_figure(insight: Mapping[str, Any]) -> Figure:
    """The confusion matrix, where there is one, beside precision and recall of every class."""
    classes, confusion = insight["classes"], insight.get("confusion")
    shown = sorted(classes, key=lambda row: row["f1"])[:MOST_CLASSES] if len(classes) > MOST_CLASSES else classes
    height = max(4.0, min(12.0, 1.2 + 0.32 * len(shown)))
    figure = Figure(figsize=(6.0 if confusion is None else 7.0 + height, height), layout="constrained")
    if confusion is None:
        table = _plain(figure.subplots())
    else:
        matrix, table = figure.subplots(1, 2, width_ratios=[height, 5.5])
        _confusion(matrix, np.array(confusion), insight["labels"])
        _plain(table)
    places = np.arange(len(shown))
    table.barh(places - 0.2, [row["precision"] for row in shown], 0.38, color=VAL, label="precision")
    table.barh(places + 0.2, [row["recall"] for row in shown], 0.38, color=TRAIN, label="recall")
    table.set_yticks(places, [f"{_short(row['label'])}  ({row['rows']})" for row in shown])
    table.invert_yaxis()
    table.set_xlim(0, 1)
    table.grid(axis="x", color="#e8e8e8")
    table.set_axisbelow(True)
    kind = "label" if confusion is None else "class"
    title = f"the {len(shown)} weakest of {len(classes)}" if len(shown) < len(classes) else f"by {kind} (validation rows)"
    table.set_title(title, fontsize=11)
    table.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.06))
    return figure


def residuals_figure(insight: Mapping[str, Any]) -> Figure:
    """Predicted against true values, and what is left over."""
    true, said = np.array(insight["points"]).T
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    against, left = (_plain(axes) for axes in figure.subplots(1, 2))
    ends = [min(true.min(), said.min()), max(true.max(), said.max())]
    against.plot(ends, ends, color=BEST_COLOUR, linewidth=1, linestyle=":")
    against.scatter(true, said, s=14, alpha=0.6, color=VAL, linewidths=0)
    against.set(xlabel=f"true {insight['target']}", ylabel="predicted")
    left.axhline(0, color=BEST_COLOUR, linewidth=1, linestyle=":")
    left.scatter(said, said - true, s=14, alpha=0.6, color=VAL, linewidths=0)
    left.set(xlabel="predicted", ylabel="predicted - true")
    spread = insight["residuals"]
    left.set_title(f"residuals: mean {number(spread['mean'])}, standard deviation {number(spread['std'])}", fontsize=11)
    return figure


def wrong_figure(insight: Mapping[str, Any]) -> Figure:
    """The surest mistakes: as pictures where the rows are images, else as a table."""
    wrong = insight["wrong"]
    if not wrong:
        figure = Figure(figsize=(6, 1.5))
        figure.text(0.5, 0.5, f"none of the {insight['rows']} validation rows is wrong", ha="center", va="center")
        return figure
    return _images(wrong) if "image" in wrong[0] else _rows(wrong)


def _images(wrong: Sequence[Mapping[str, Any]]) -> Figure:
    columns = min(4, len(wrong))
    lines = math.ceil(len(wrong) / columns)
    figure = Figure(figsize=(1.9 * columns, 2.2 * lines), layout="constrained")
    for axes, row in zip(
        figure.subplots(lines, columns, squeeze=False).flat, [*wrong, *[None] * (lines * columns - len(wrong))], strict=True
    ):
        axes.axis("off")
        if row is not None:
            image = np.moveaxis(np.array(row["image"]), 0, -1)
            low, high = image.min(), image.max()
            axes.imshow((image - low) / max(high - low, 1e-9), cmap="gray_r" if image.shape[-1] == 1 else None)
            axes.set_title(f"row {row['row']}: {_verdict(row)}", fontsize=9)
    return figure


def _rows(wrong: Sequence[Mapping[str, Any]]) -> Figure:
    cells = [[str(row["row"]), *_told(row), _inputs(row)] for row in wrong]
    heads = [
        "row",
        *(["label"] if "label" in wrong[0] else []),
        "true",
        "said",
        *(["probability"] if "probability" in wrong[0] else ["error"]),
    ]
    heads.append("inputs farthest from 0, as the model sees them" if "inputs" in wrong[0] else "row begins with")
    figure = Figure(figsize=(13, 0.7 + 0.32 * len(cells)))
    axes = figure.add_axes((0.01, 0.01, 0.01, 0.98))  # the picture is cut to the table, which is wider, and not to the axes
    axes.axis("off")
    table = axes.table(cells, colLabels=heads, loc="upper left", cellLoc="left", colLoc="left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.auto_set_column_width(list(range(len(heads))))
    for (line, _), cell in table.get_celld().items():
        cell.set_edgecolor("#d8d8d8")
        cell.set_height(0.95 / (len(cells) + 1))
        if line == 0:
            cell.set_text_props(color="#777777")
    return figure


def _told(row: Mapping[str, Any]) -> list[str]:
    if "label" in row:
        return [_short(row["label"]), *("yes" if row[key] else "no" for key in ("true", "said")), f"{row['probability']:.3f}"]
    if "probability" in row:
        return [_short(row["true"]), _short(row["said"]), f"{row['probability']:.3f}"]
    return [number(row["true"]), number(row["said"]), number(row["said"] - row["true"])]


def _verdict(row: Mapping[str, Any]) -> str:
    if "label" in row:
        return f"{_short(row['label'])}\nsaid {row['probability']:.2f}, is {int(row['true'])}"
    if "probability" in row:
        return f"is {_short(row['true'])}\nsaid {_short(row['said'])} with {row['probability']:.2f}"
    return f"is {number(row['true'])}\nsaid {number(row['said'])}"


def _inputs(row: Mapping[str, Any]) -> str:
    if "inputs" in row:
        return ",  ".join(f"{_short(name)} {value:+.1f}" for name, value in row["inputs"].items())
    return " ".join(map(str, row.get("tokens", [])))[:80]


def _confusion(axes: Axes, counts: np.ndarray, labels: Sequence[str]) -> None:
    """Coloured by the share of the true class's rows, with the counts in the cells."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="said", ylabel="true")
    if len(labels) > MOST_CLASSES:
        return
    names = [_short(label) for label in labels]
    axes.set_xticks(range(len(labels)), names, rotation=90 if max(map(len, names)) * len(names) > FLAT_LETTERS else 0)
    axes.set_yticks(range(len(labels)), names)
    for true, said in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[true, said] > 0.6 else BEST_COLOUR if true != said else "black"
        axes.text(said, true, str(counts[true, said]), ha="center", va="center", fontsize=9 if len(labels) <= 20 else 6, color=colour)


def _lines(axes: Axes, reports: Iterable[Report], names: Mapping[str, tuple[str, str]], title: str, *, log: bool = False) -> None:
    """Those of the metrics that there are, by epoch."""
    reports = list(reports)
    for name, (label, colour) in names.items():
        curve = {report.epoch: report.metrics[name] for report in reports if math.isfinite(report.metrics.get(name, math.nan))}
        if curve:
            axes.plot(list(curve), list(curve.values()), color=colour, marker="o", markersize=2.5, linewidth=1.4, label=label)
            if log and min(curve.values()) > 0:
                axes.set_yscale("log")
    axes.set_title(title, fontsize=11)


def _plain(axes: Axes) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, bbox_inches="tight")
    return content.getvalue()
