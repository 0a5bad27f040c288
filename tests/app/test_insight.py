"""What is kept of a look at a trained model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from sweeper.app import insight
from sweeper.config.files import config_from_tree
from sweeper.data.prepare import prepare
from sweeper.production.train import train


def test_a_look_is_kept_and_drawn_once(tmp_path: Path) -> None:
    """JSON and tables first, pictures when they are asked for; a second drawing costs nothing, a new look removes the old pictures."""
    tree = {"name": "wine", "data": {"source": "wine"}, "model": {"family": "mlp", "width": 8}, "training": {"epochs": 2}}
    config = config_from_tree(tree)
    data = prepare(config.data, config.task)
    result = train(config, out=tmp_path, data=data)
    assert insight.draw(tmp_path, result.history, result.best_epoch) == []
    insight.write(tmp_path, data)
    assert {path.name for path in (tmp_path / "insight").iterdir()} == {"insight.json", "classes.csv", "layers.csv"}
    seen = json.loads((tmp_path / "insight" / "insight.json").read_text())
    table = list(csv.DictReader((tmp_path / "insight" / "classes.csv").open(newline="")))
    assert [float(row["recall"]) for row in table] == [row["recall"] for row in seen["classes"]]
    drawn = insight.draw(tmp_path, result.history, result.best_epoch)
    names = ["classes.csv", "classes.png", "insight.json", "layers.csv", "monitor.png", "wrong.png"]
    assert [path.name for path in drawn] == names
    before = [path.stat().st_mtime_ns for path in drawn]
    again = insight.draw(tmp_path, result.history, result.best_epoch)
    assert [path.stat().st_mtime_ns for path in again] == before
    insight.write(tmp_path, data)
    assert not list((tmp_path / "insight").glob("*.png"))
