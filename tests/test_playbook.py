"""The tables of docs/playbook.md are true: every key is accepted and changes training, every test exists, every trace is logged."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from sweeper.config.files import config_from_tree, flat
from sweeper.core.diagnose import Tag
from sweeper.core.parallel import crew
from sweeper.data.prepare import prepare
from sweeper.tracking.finale import DATA
from sweeper.tracking.insight import pictures
from sweeper.tracking.picture import texts
from tests.app.driving import sweeper
from tests.playbook.data import MODULES, write_data
from tests.playbook.table import CLAUSE, KINDS, ROOT, Row, held, rows
from tests.playbook.walk import BASE, Walk, alike, pairs
from tests.tracking.test_insight import VALUES, reports

TINY = """
name: tiny
model: {family: mlp, width: 16}
optimizer: {name: adamw, lr: auto}
training: {epochs: 2, batch_size: 128}
search: {trials: 2, sampler: random, grace_epochs: 2}
"""
UNMOVED = ("training.monitor", "data.stream", "training.precision: auto", "training.precision: fp32", "resources.")
"""Keys that say how a trial is trained and what is told of it: on a CPU its numbers must stay what they are."""
OF_THE_SWEEP = "resources."
"""Keys that MLflow shows as tags of the sweep's run."""
SAID = "diagnosis: "

ROWS = rows()
KEYED = [row for row in ROWS if row.settings]
TRACED = [row for row in ROWS if row.trace != "-"]


def named(row: Row) -> str:
    """For pytest."""
    return row.name


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """With the data that the tables' keys name."""
    folder, path = tmp_path_factory.mktemp("walk"), list(sys.path)
    write_data(folder)
    yield Walk(folder)
    crew.dismiss()
    sys.path[:] = path
    for name in MODULES:
        sys.modules.pop(name, None)


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
    """With the key, the same seed and data give another curve than without; or the same, where only the way there is another."""
    assert alike(walk.curve(row.settings), walk.curve(row.around)) == row.settings[0].startswith(UNMOVED)


@pytest.mark.parametrize("row", KEYED, ids=named)
def test_a_key_is_logged(row: Row, walk: Walk) -> None:
    """The trial's run, or the sweep's, holds every setting of the row with the row's value, and each name of its trace."""
    picture, above = walk.picture(row.settings), walk.tags_of_the_sweep(row.settings)
    wanted = texts(flat(dict(pairs(row.settings))))
    there = {key: (above if key.startswith(OF_THE_SWEEP) else picture.params)[key] for key in wanted}
    assert {key: yaml.safe_load(value) for key, value in wanted.items()} == {key: yaml.safe_load(value) for key, value in there.items()}
    epochs = {key: sum(point.key == key for point in picture.points) for key in {point.key for point in picture.points}}
    found = {"param": picture.params, "metric": epochs, "tag": {**above, **picture.tags}, "fact": walk.data(row.settings).summary}
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
            assert held(logged[clause.kind], "diagnosis" if name.startswith(SAID) else name) != clause.absent, f"{clause.kind} {name}"
            if name.startswith(SAID):
                assert Tag(name.removeprefix(SAID))


def test_every_word_of_a_diagnosis_has_a_row() -> None:
    """And no row has another."""
    said = [name.removeprefix(SAID) for row in ROWS for clause in row.clauses for name in clause.names if name.startswith(SAID)]
    assert sorted(said) == sorted([*Tag])


def test_what_is_known_of_the_data_is_that_of_preparation(logged: Mapping[str, Any], walk: Walk) -> None:
    """The file in MLflow is the summary, whole, and what the look before the sweep found."""
    config = config_from_tree({**BASE, "data": {"source": "digits"}})
    summary = prepare(config.data, config.task).summary
    assert {key: logged["fact"][key] for key in summary} == json.loads(json.dumps(summary))
    assert logged["fact"].keys() - summary == {"checks"}


@pytest.mark.parametrize("name", ["watch_nothing", "model.*x", "diagnosis: sleepy", "diagnosis: *sick"])
def test_a_name_that_nobody_logs_is_noticed(name: str) -> None:
    """The walk can fail."""
    there = {"model.width": "8", "watch_dead_units": "2", "diagnosis": "healthy"}
    assert not held(there, name)
    assert held(there, "model.*")
    assert held(there, "diagnosis: healthy")
    assert held(there, "diagnosis: *thy")
