"""What a finished sweep leaves in its run: files, the leaderboard and the figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.config.space import Space
from sweeper.search.past import Past, Record, finite_points
from sweeper.tracking.curves import best_epoch
from sweeper.trial import Outcome, Report, Trial

LEADERBOARD = "leaderboard.json"
DATA = "data.json"
"""The summary of the data: see ``sweeper.data.summary``."""


def last_files(
    name: str, space: Space, past: Sequence[Record], files: Iterable[Path], data: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """Artifacts of the sweep's run by file name: ``files`` that exist, the space, what is known of the data, the leaderboard, the figures.

    Args:
        name: the sweep's.
        space: what it searched.
        past: its trials.
        files: such as ``best.yaml``.
        data: the summary of the data; None or empty: there is none, and no file.
    """
    from sweeper.tracking.figures import figures, page
    from sweeper.tracking.png import png_history, png_learning_curves

    metric = space.base.search.metric
    rows = leaderboard(space, past)
    return {
        **{file.name: file.read_bytes() for file in files if file.is_file()},
        "space.yaml": space.text.encode(),
        **({DATA: json.dumps(data, indent=1).encode()} if data else {}),
        "leaderboard.csv": _csv(rows).encode(),
        LEADERBOARD: json.dumps({"columns": rows[0], "data": rows[1:]}).encode(),
        "figures.html": page(f"Sweep {name}", figures(space, past)).encode(),
        "history.png": png_history(past, metric),
        "learning_curves.png": png_learning_curves(past, metric),
    }


def last_tags() -> dict[str, str]:
    """The tag by which MLflow's UI shows the leaderboard as a table."""
    return {"mlflow.loggedArtifacts": json.dumps([{"path": LEADERBOARD, "type": "table"}])}


def warm_up() -> None:
    """Draw a made-up sweep: the plotting libraries import much on first use, which costs two seconds that the end need not wait for."""
    space = Space.parse("name: warm-up\nmodel: {family: mlp, width: {int: [1, 9]}, dropout: {uniform: [0.0, 0.9]}}\n", "warm-up")
    past = []
    for number in range(6):
        values = {"model.width": number + 1, "model.dropout": number / 10}
        report = Report(number, 1, {"train_loss": 1.0, "val_loss": float(number)}, 0.0)
        past.append(Past(Trial(number, 0, values, {}, ""), (report,), Outcome.COMPLETE))
    last_files(space.name, space, past, ())


def leaderboard(space: Space, past: Iterable[Record]) -> list[list[Any]]:
    """A heading, then one row per trial: complete ones first, the best on top, then the others by number.

    Each holds number, outcome, value of the metric, best epoch, and what was sampled, by its place in the config.
    """
    metric = space.base.search.metric
    paths = list(dict.fromkeys(leaf.path for leaf in space.leaves))
    ranked: list[tuple[tuple[int, float, int], list[Any]]] = []
    for record in past:
        curve = finite_points(record.reports, metric)
        epoch = best_epoch(curve, metric) if curve else None
        value = None if epoch is None else curve[epoch]
        sampled = {leaf.path: record.trial.values[leaf.name] for leaf in space.leaves if leaf.name in record.trial.values}
        complete = record.outcome is Outcome.COMPLETE and value is not None
        rank = (not complete, -metric.gain(value or 0.0, over=0.0) if complete else 0.0, record.trial.number)
        ranked.append((rank, [record.trial.number, record.outcome or "open", value, epoch, *(sampled.get(path) for path in paths)]))
    return [["trial", "outcome", metric.value, "best_epoch", *paths], *(row for _, row in sorted(ranked, key=lambda item: item[0]))]


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
