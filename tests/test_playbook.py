"""The tables of docs/playbook.md are true: every key is accepted and changes training, every test exists, every trace is logged."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import yaml
from PIL import Image

from sweeper.config.files import config_from_tree, flat, tree_of
from sweeper.core.diagnose import Tag
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.ledger.records import SweepRecord, SweepState, TrialRecord
from sweeper.tracking.child import child_picture
from sweeper.tracking.finale import DATA
from sweeper.tracking.insight import pictures
from sweeper.tracking.picture import Picture, texts
from sweeper.trial import Metric, Outcome, Report, Trial
from tests.app.driving import sweeper
from tests.core.driving import cut, script
from tests.tracking.test_insight import VALUES, reports

ROOT = Path(__file__).parents[1]
BASE: dict[str, Any] = {
    "name": "playbook",
    "model": {"family": "mlp", "width": 16, "dropout": 0.1},
    "training": {"epochs": 3, "batch_size": 32, "patience": None, "engine": "plain"},
}
TINY = """
name: tiny
model: {family: mlp, width: 16}
optimizer: {name: adamw, lr: auto}
training: {epochs: 2, batch_size: 128}
search: {trials: 2, sampler: random, grace_epochs: 2}
"""
ONLY_TOLD = "training.monitor"
"""A key that changes what is reported and nothing else."""
KINDS = ("param", "metric", "tag", "artifact", "fact")
CLAUSE = re.compile(rf"(no )?({'|'.join(KINDS)})s? ((?:`[^`]+`(?:, | and )?)+)")


@dataclass(frozen=True)
class Clause:
    """What a trace says: that there are, or are not, things of these names; ``*`` stands for anything, ``name: value`` for both."""

    absent: bool
    kind: str
    names: tuple[str, ...]


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
    def settings(self) -> tuple[str, ...]:
        """The ``key: value`` pairs that switch it on, all together; the first is the technique's own."""
        return tuple(text for text in re.findall(r"`([^`]+)`", self.key) if re.match(r"([a-z_]+(\.[a-z_0-9]+)+|task): ", text))

    @property
    def around(self) -> tuple[str, ...]:
        """Those of them that only make room for the technique: the data, and the model that takes them."""
        own = section(self.settings[0])
        return tuple(one for one in self.settings if own not in ("data", "task", "model") and section(one) in ("data", "task", "model"))

    @property
    def clauses(self) -> list[Clause]:
        """What the trace says."""
        return [Clause(bool(no), kind, tuple(re.findall(r"`([^`]+)`", names))) for no, kind, names in CLAUSE.findall(self.trace)]


def section(setting: str) -> str:
    """``model`` of ``model.width: 8``."""
    return re.split(r"[.:]", setting)[0]


def rows() -> list[Row]:
    """Every row of every table."""
    lines = (ROOT / "docs" / "playbook.md").read_text().splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
    return [Row(*row) for row in cells if row[0] != "technique" and set(row[0]) != {"-"}]


ROWS = rows()
KEYED = [row for row in ROWS if row.settings]
TRACED = [row for row in ROWS if row.trace != "-"]


def named(row: Row) -> str:
    """For pytest."""
    return row.name


def tree(settings: tuple[str, ...]) -> dict[str, Any]:
    """The base config with these settings."""
    found: dict[str, Any] = {part: dict(values) if isinstance(values, dict) else values for part, values in BASE.items()}
    for path, value in pairs(settings):
        *parents, last = path.split(".")
        node = found
        for parent in parents:
            node = node.setdefault(parent, {})
        if last in ("family", "name"):
            node.clear()  # what belongs to another member of the family
        node[last] = value
    return found


def pairs(settings: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; a folder is meant from the top of the tree."""
    for setting in settings:
        (path, value), *_ = yaml.safe_load("{" + setting + "}").items()
        yield path, str(ROOT / value) if path == "model.folder" else value


def write_data(folder: Path) -> None:
    """What the keys of the tables name: a table of texts, one of two labels, and a folder of pictures."""
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "film", "not", "very", "the", "end", "plot"])
    texts_ = [" ".join(rng.choice(words, 6)) for _ in range(320)]
    (folder / "reviews.csv").write_text("review,stars\n" + "".join(f"{text},{'many' if 'good' in text else 'few'}\n" for text in texts_))
    people = rng.normal(size=(320, 2)).round(2)
    (folder / "tags.csv").write_text("a,b,tall,old\n" + "".join(f"{a},{b},{int(a > 0)},{int(b > 0)}\n" for a, b in people))
    for name in ("cats", "dogs"):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(80):
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / "photos" / name / f"{number}.png")


@dataclass
class Walk:
    """Trains the rows' configs, each once, on the few rows of their data."""

    folder: Path
    _data: dict[str, Dataset] = field(default_factory=dict)
    _told: dict[tuple[str, ...], list[Report]] = field(default_factory=dict)

    def data(self, settings: tuple[str, ...]) -> Dataset:
        """Few rows of what these settings name, and all that was found out about it."""
        found = tree(settings)
        key = json.dumps([found.get("data", {}), found.get("task")])
        if key not in self._data:
            # With the base's own model, for the data is prepared the same whatever is trained on it.
            config = config_from_tree({**BASE, **{name: found[name] for name in ("data", "task") if name in found}})
            whole = prepare(config.data, config.task, source=str(self.folder / "space.yaml"))
            self._data[key] = cut(whole, min(160, len(whole.train)), min(60, len(whole.val)))
        return self._data[key]

    def trial(self, settings: tuple[str, ...]) -> Trial:
        """The trial of these settings, complete."""
        return Trial(0, 0, {}, tree_of(config_from_tree(tree(settings))), "playbook")

    def reports(self, settings: tuple[str, ...]) -> list[Report]:
        """Of a short training."""
        if settings not in self._told:
            rounds = script(train([self.trial(settings)], self.data(settings), device="cpu"))
            self._told[settings] = [report for reports in rounds for report in reports]
        return self._told[settings]

    def curve(self, settings: tuple[str, ...]) -> list[tuple[float, ...]]:
        """Losses, gradient norm and learning rate by epoch."""
        names = ("train_loss", "val_loss", "grad_norm", "lr")
        return [tuple(report.metrics[name] for name in names) for report in self.reports(settings)]

    def picture(self, settings: tuple[str, ...]) -> Picture:
        """The run that MLflow's writer makes of the trial."""
        trial, told = self.trial(settings), self.reports(settings)
        sweep = SweepRecord(
            "walk", "", "", Metric.VAL_LOSS, 1, SweepState.COMPLETE, 1, None, 0.0, 9.0, {"data": self.data(settings).summary}
        )
        best = min(told, key=lambda report: report.metrics["val_loss"])
        reached = best.metrics["val_loss"], best.epoch, len(told)
        record = TrialRecord(trial, Outcome.COMPLETE, told[-1].ended, *reached, 1.0, 0.0, 9.0, 1, 0.0, told[0].how)
        return child_picture(sweep, record, told, "parent")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """With the data that the tables' keys name."""
    folder = tmp_path_factory.mktemp("walk")
    write_data(folder)
    return Walk(folder)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    """What a small sweep has left in MLflow, by kind and name; of a tag that several runs have, all values."""
    home = tmp_path_factory.mktemp("logged")
    (home / "tiny.yaml").write_text(TINY)
    done = sweeper("sweep", home / "tiny.yaml", "--runner", "local", "--json", SWEEPER_HOME=str(home))
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    with sqlite3.connect(home / "mlflow.db") as store:
        for kind, query in (
            ("param", "SELECT key, value FROM params"),
            ("tag", "SELECT key, group_concat(value, char(10)) FROM tags GROUP BY key"),
            ("metric", "SELECT key, count(*) FROM metrics GROUP BY key"),
        ):
            found[kind] = dict(store.execute(query).fetchall())
        (uri,) = store.execute(
            "SELECT artifact_uri FROM runs WHERE run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId')"
        ).fetchone()
    store.close()
    artifacts = Path(unquote(urlsplit(uri).path))
    found["artifact"] = {path.name: str(path.stat().st_size) for path in artifacts.iterdir()}
    found["fact"] = json.loads((artifacts / DATA).read_text())
    # A regression's pictures are drawn by the same function, and go the same way.
    found["artifact"] |= {name: str(len(content)) for name, content in pictures(VALUES, reports(), 2).items()}
    return found


def held(names: Mapping[str, Any], wanted: str) -> bool:
    """Whether something of this name, or this name and value, is there."""
    name, _, value = wanted.partition(": ")
    return any(fnmatchcase(key, name) and str(names[key]).startswith(value) for key in names)


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_row_is_whole(row: Row) -> None:
    """All cells are filled, each test that is named exists, and a trace says what its names are."""
    assert all([row.name, row.key, row.default, row.range, row.test, row.trace])
    tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.test)
    assert tests, row.test
    for path, function in tests:
        assert f"def {function}" in (ROOT / path).read_text(), f"{path} has no {function}"
    assert "`" not in CLAUSE.sub("", row.trace), "write: params `a`, `b`; metric `c`"
    assert row.trace == "-" or row.clauses


@pytest.mark.parametrize("row", KEYED, ids=named)
def test_a_key_changes_training(row: Row, walk: Walk) -> None:
    """With the key, the same seed and data give another curve than without."""
    assert (walk.curve(row.settings) != walk.curve(row.around)) == (not row.settings[0].startswith(ONLY_TOLD))


@pytest.mark.parametrize("row", KEYED, ids=named)
def test_a_key_is_logged(row: Row, walk: Walk) -> None:
    """The trial's run holds every setting of the row with the row's value, and each name of its trace."""
    picture = walk.picture(row.settings)
    wanted = texts(flat(dict(pairs(row.settings))))
    assert {key: yaml.safe_load(value) for key, value in wanted.items()} == {key: yaml.safe_load(picture.params[key]) for key in wanted}
    epochs = {key: sum(point.key == key for point in picture.points) for key in {point.key for point in picture.points}}
    found = {"param": picture.params, "metric": epochs, "tag": picture.tags, "fact": walk.data(row.settings).summary}
    for clause in row.clauses:
        for name in clause.names:
            assert held(found[clause.kind], name) != clause.absent, f"{clause.kind} {name}"
            if clause.kind == "metric" and name in epochs and not name.startswith("watch_"):
                assert epochs[name] == len(walk.reports(row.settings))


@pytest.mark.parametrize("row", [row for row in TRACED if not row.settings], ids=named)
def test_what_is_always_there_is_logged(row: Row, logged: Mapping[str, Mapping[str, str]]) -> None:
    """Each name of a trace without a key is in MLflow after a sweep; a diagnosis that no trial of it has is a word that may be said."""
    for clause in row.clauses:
        for name in clause.names:
            assert held(logged[clause.kind], name.partition(": ")[0]) != clause.absent, f"{clause.kind} {name}"
            if name.startswith("diagnosis: "):
                assert Tag(name.removeprefix("diagnosis: "))


def test_every_word_of_a_diagnosis_has_a_row() -> None:
    """And no row has another."""
    said = [name.removeprefix("diagnosis: ") for row in ROWS for clause in row.clauses for name in clause.names if ": " in name]
    assert sorted(said) == sorted([*Tag])


def test_what_is_known_of_the_data_is_that_of_preparation(logged: Mapping[str, Any], walk: Walk) -> None:
    """The file in MLflow is the summary, whole."""
    config = config_from_tree({**BASE, "data": {"source": "digits"}})
    assert logged["fact"] == json.loads(json.dumps(prepare(config.data, config.task).summary))


@pytest.mark.parametrize("name", ["watch_nothing", "model.*x", "diagnosis: sleepy"])
def test_a_name_that_nobody_logs_is_noticed(name: str) -> None:
    """The walk can fail."""
    there = {"model.width": "8", "watch_dead_units": "2", "diagnosis": "healthy"}
    assert not held(there, name)
    assert held(there, "model.*")
    assert held(there, "diagnosis: healthy")
