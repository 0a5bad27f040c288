"""The tables of docs/playbook.md are true: every key is accepted and changes training, every test exists."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweeper.config.files import config_from_tree, tree_of
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.trial import Trial
from tests.core.driving import cut, script

ROOT = Path(__file__).parents[1]
BASE: dict[str, Any] = {
    "name": "playbook",
    "model": {"family": "mlp", "width": 16, "dropout": 0.1},
    "training": {"epochs": 3, "batch_size": 32, "patience": None, "engine": "plain"},
}


@dataclass(frozen=True)
class Row:
    """One technique."""

    name: str
    key: str
    default: str
    range: str
    test: str
    trace: str

    @property
    def settings(self) -> list[str]:
        """The ``key: value`` pairs that switch it on, all together."""
        return [text for text in re.findall(r"`([^`]+)`", self.key) if re.match(r"[a-z_]+(\.[a-z_0-9]+)+: ", text)]


def rows() -> list[Row]:
    """Every row of every table."""
    lines = (ROOT / "docs" / "playbook.md").read_text().splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
    return [Row(*row) for row in cells if row[0] != "technique" and set(row[0]) != {"-"}]


ROWS = rows()
KEYED = [row for row in ROWS if row.settings]


def tree(settings: list[str]) -> dict[str, Any]:
    """The base config with these settings."""
    found: dict[str, Any] = {section: dict(values) if isinstance(values, dict) else values for section, values in BASE.items()}
    for setting in settings:
        (path, value), *_ = yaml.safe_load("{" + setting + "}").items()
        *parents, last = path.split(".")
        node = found
        for parent in parents:
            node = node.setdefault(parent, {})
        if last in ("family", "name"):
            node.clear()  # what belongs to another member of the family
        node[last] = value
    return found


@functools.cache
def data(section: str, task: str) -> Dataset:
    """Few rows of what a ``data:`` section holds."""
    config = config_from_tree({**BASE, "task": task, "data": yaml.safe_load(section)})
    return cut(prepare(config.data, task), 160, 60)


@functools.cache
def curve(settings: tuple[str, ...]) -> list[tuple[float, ...]]:
    """Losses, gradient norm and learning rate of a short training with these settings, by epoch."""
    config = config_from_tree(tree(list(settings)))
    trial = Trial(0, 0, {}, tree_of(config), "playbook")
    rounds = script(train([trial], data(str(tree(list(settings)).get("data", {})), config.task), device="cpu"))
    return [
        tuple(report.metrics[name] for name in ("train_loss", "val_loss", "grad_norm", "lr")) for reports in rounds for report in reports
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_whole(row: Row) -> None:
    """All cells are filled, and each test that is named exists."""
    assert all([row.name, row.key, row.default, row.range, row.test, row.trace])
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.test)
    assert named, row.test
    for path, function in named:
        assert f"def {function}" in (ROOT / path).read_text(), f"{path} has no {function}"


@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.name)
def test_a_key_changes_training(row: Row) -> None:
    """With the key, the same seed and data give another curve than without; what chooses data or model does so by itself."""
    about_data = [setting for setting in row.settings if setting.startswith(("data.", "task"))]
    assert curve(tuple(row.settings)) != curve(tuple(about_data)) or about_data == row.settings
