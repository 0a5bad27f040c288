"""What is kept of a look at a trained model: JSON and tables, made where torch is, and pictures, drawn where time does not matter."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.atomic import replace_bytes, replace_text
from sweeper.trial import Report

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset

FOLDER = "insight"
"""In the folder of a sweep or a production job."""
FACTS = "insight.json"


def write(folder: Path, data: Dataset) -> dict[str, int]:
    """Look at the model in ``folder`` on the validation part and keep what is seen; pictures of an older model go.

    Returns:
        The model's size: ``parameters`` and ``flops_per_row``.

    Raises:
        InputError: there is no model, or it is damaged.
        InfrastructureError: the disk refused.
    """
    from sweeper.production.insight import insight_of

    seen = insight_of(folder / "model", data)
    for picture in (folder / FOLDER).glob("*.png"):
        picture.unlink()
    for table in ("classes", "layers"):
        if table in seen:
            replace_text(folder / FOLDER / f"{table}.csv", _csv(seen[table]))
    replace_text(folder / FOLDER / FACTS, json.dumps(seen))
    return dict(seen["size"])


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under all the names that they have."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def draw(folder: Path, reports: Sequence[Report], best_epoch: int) -> list[Path]:
    """The pictures of what ``write`` kept, drawn where they are missing; all files, or none where nothing was kept.

    Args:
        folder: of the sweep or the job.
        reports: of the model's training.
        best_epoch: whose model it is.
    """
    facts = folder / FOLDER / FACTS
    if not facts.is_file():
        return []
    if not list(facts.parent.glob("*.png")):
        from sweeper.tracking.insight import pictures

        seen: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
        for name, content in pictures(seen, reports, best_epoch).items():
            replace_bytes(facts.parent / name, content)
    return sorted(facts.parent.iterdir())
