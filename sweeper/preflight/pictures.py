"""Pictures of the data: some rows as a model sees them, the labels by part, and the values of the inputs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from sweeper.data.dataset import Dataset
from sweeper.preflight.features import is_tokens, matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, LINES = 10, 4
"""Of the grid of samples."""

MOST_CLASSES = 30
"""Bars that can be told apart."""

LETTERS = 40
"""Of class names that find room side by side."""

PARTS = {"train": "#1f4e8c", "val": "#c2410c", "test": "#9aa5b1"}
INK, PALE = "#444444", "#e5e7eb"


def sample_rows(data: Dataset, number: int = COLUMNS * LINES) -> np.ndarray:
    """Training rows to look at: for classes one of each in turn, otherwise evenly spread."""
    y = data.train.y
    if data.task == "classification":
        rank = np.empty(len(y), dtype=np.int64)
        for value in np.unique(y):
            rank[y == value] = np.arange((y == value).sum())
        return np.lexsort((y, rank))[:number]
    return np.linspace(0, len(y) - 1, min(number, len(y))).astype(int)


def label_of(data: Dataset, row: int) -> str:
    """The target of a training row as people know it."""
    y = data.train.y[row]
    if data.task == "classification":
        return data.labels[int(y)] if int(y) < len(data.labels) else str(int(y))
    if data.task == "multilabel":
        on = [data.labels[i] if i < len(data.labels) else str(i) for i in np.flatnonzero(y)]
        return ", ".join(on) or "none"
    return f"{float(y) * data.target_scale + data.target_mean:.4g}"


def samples_png(data: Dataset) -> bytes | None:
    """Rows with their labels: images as a picture grid, series as curves; None for tables and texts, which are read as rows."""
    shape = data.input_shape
    if len(shape) < 2 or is_tokens(data.train.x):
        return None
    rows = sample_rows(data)
    lines = -(-len(rows) // COLUMNS)
    figure = _figure(COLUMNS * 1.0, lines * 1.25)
    seen = data.train.seen()
    low, high = float(seen.min()), float(seen.max())
    for place, row in enumerate(rows):
        axes = figure.add_subplot(lines, COLUMNS, place + 1)
        if len(shape) > 2:
            axes.imshow(_image(data.train.x[row], low, high), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        else:
            axes.plot(data.train.x[row], lw=0.8)
            axes.set_ylim(low, high)
        axes.set_title(label_of(data, int(row))[:16], fontsize=8, color=INK, pad=2)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(PALE)
    return _saved(figure)


def overview_png(data: Dataset) -> bytes:
    """Labels or target by part, and how the inputs are distributed in training."""
    figure = _figure(10.0, 3.0)
    left, right = figure.subplots(1, 2)
    _targets(data, left)
    left.set_title("targets by part (share of rows)", fontsize=9, color=INK, loc="left")
    _inputs(data, right)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return _saved(figure)


def _targets(data: Dataset, axes: Axes) -> None:
    parts = {"train": data.train, "val": data.val, "test": data.test}
    if data.task == "regression":
        values = {name: part.y * data.target_scale + data.target_mean for name, part in parts.items()}
        edges = np.histogram_bin_edges(np.concatenate(list(values.values())), bins=30)
        for name, y in values.items():
            axes.hist(y, bins=edges.tolist(), weights=np.full(len(y), 1 / len(y)), histtype="step", color=PARTS[name], label=name)
    else:
        shares = {
            name: part.y.mean(0) if data.task == "multilabel" else np.bincount(part.y, minlength=data.outputs) / len(part.y)
            for name, part in parts.items()
        }
        shown = min(data.outputs, MOST_CLASSES)
        places = np.arange(shown)
        for offset, (name, share) in zip((-0.27, 0.0, 0.27), shares.items(), strict=True):
            axes.bar(places + offset, share[:shown], width=0.25, color=PARTS[name], label=name)
        names = [data.labels[i][:12] if i < len(data.labels) else str(i) for i in range(shown)]
        crowded = sum(map(len, names)) > LETTERS
        axes.set_xticks(places, names, rotation=45 if crowded else 0, ha="right" if crowded else "center")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper right")


def _inputs(data: Dataset, axes: Axes) -> None:
    if is_tokens(data.train.x):
        lengths = (data.train.seen() != 0).sum(1)
        axes.hist(lengths, bins=np.histogram_bin_edges(lengths, bins="auto").tolist(), color=PARTS["train"])
        axes.set_title("tokens per training row", fontsize=9, color=INK, loc="left")
        return
    values = matrix(data.train.seen())
    axes.hist(values.ravel(), bins=60, color=PARTS["train"])
    axes.set_yscale("log")
    axes.set_title("values of the prepared inputs (count, log scale)", fontsize=9, color=INK, loc="left")


def _image(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Height, width (and three colours) between 0 and 1; of other numbers of channels the first."""
    scaled = (x - low) / max(high - low, 1e-12)
    return np.moveaxis(scaled, 0, -1) if len(x) == 3 else np.asarray(scaled[0])


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # the figure saves itself through its canvas
    return figure


def _saved(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()
