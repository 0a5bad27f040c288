"""The exported JSON schema of a space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sweeper.config import keys
from sweeper.config.files import find_space
from sweeper.config.json_schema import space_json_schema
from sweeper.config.parse_distribution import AUTO, KINDS
from sweeper.config.strict_yaml import load, load_file

SPACES = Path(__file__).resolve().parents[2] / "search_spaces"
FILES = sorted(SPACES.glob("*.yaml"))


def errors(tree: Any) -> list[str]:
    """What the schema finds wrong."""
    return [error.message for error in jsonschema.Draft202012Validator(space_json_schema()).iter_errors(tree)]


def test_the_schema_is_a_schema() -> None:
    """The export is valid draft 2020-12 itself."""
    jsonschema.Draft202012Validator.check_schema(space_json_schema())


def test_the_committed_schema_is_current() -> None:
    """Editors see what the loader accepts: the committed export is the one of this code."""
    committed = json.loads((SPACES / "space.schema.json").read_text())
    assert committed == space_json_schema(), "write it again: sweeper schema > search_spaces/space.schema.json"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_space_fits_and_points_at_the_schema(file: Path) -> None:
    """Every space file is valid, and its first line tells editors where the schema is."""
    assert errors(load_file(file).data) == []
    assert file.read_text().splitlines()[0] == "# yaml-language-server: $schema=./space.schema.json"
    assert find_space(file.stem).samefile(file) or not find_space(file.stem).is_relative_to(SPACES)


@pytest.mark.parametrize(
    "text",
    [
        "name: a\n",
        "name: a\nmodel: {width: {int: [1, 8], log: true, default: 2, when: {model.norm: [batch, layer]}}}\n",
        "name: a\nmodel: {depth: 3}\ntraining: {clip_norm: {choice: [null, 1.0]}}\n",
        "name: a\nmodel: {choice: [{family: mlp}, {family: cnn, kernel: {choice: [3, 5]}}], default: cnn}\n",
        "name: a\nforbid: [{model.depth: {'>=': 3}, model.norm: batch}]\n",
        "name: a\noptimizer: {choice: [{name: sgd, lr: auto}, {name: adamw, lr: {auto: [1e-4, 1e-1], default: 1e-2}}]}\n",
        "name: a\nprovenance: {anything: [1, {goes: here}]}\n",
    ],
)
def test_what_the_loader_accepts_fits(text: str) -> None:
    """Distributions, sub-trees, conditions and rules are part of the schema."""
    assert errors(load(text, "s.yaml").data) == []


@pytest.mark.parametrize(
    "text",
    [
        "model: {}\n",
        "name: a\nmodle: {}\n",
        "name: a\nmodel: {widht: 3}\n",
        "name: a\nmodel: {family: cnn, width: 3}\n",
        "name: a\nmodel: {width: {unifrom: [1, 3]}}\n",
        "name: a\nmodel: {width: {uniform: [1, 3]}}\n",
        "name: a\nmodel: {norm: {choice: [none, bacth]}}\n",
        "name: a\nmodel: {norm: {choice: [none]}}\n",
        "name: a\nmodel: {dropout: {uniform: [0, 0.5], when: {model.nrom: batch}}}\n",
        "name: a\ndata: {seed: {int: [0, 3]}}\n",
        "name: a\ntraining: {seed: {int: [0, 3]}}\n",
        "name: a\nforbid: [{model.widht: 3}]\n",
        "name: a\noptimizer: {weight_decay: auto}\n",
        "name: a\noptimizer: {lr: atuo}\n",
    ],
)
def test_what_the_loader_refuses_is_marked_in_the_editor(text: str) -> None:
    """Typos are seen while typing."""
    assert errors(load(text, "s.yaml").data)


def test_descriptions_reach_the_editor() -> None:
    """What the schema says about a key is shown while typing."""
    defs = space_json_schema()["$defs"]
    assert defs["Mlp"]["properties"]["width"]["description"] == "units per hidden layer"
    assert defs["Training"]["additionalProperties"] is False


def test_no_key_is_called_like_a_distribution() -> None:
    """A mapping with such a key can only be a distribution."""
    for section in keys.SEARCHED:
        for node in keys.members(section).values():
            assert not set(node.model_fields) & {*KINDS, AUTO, "default", "when"}
