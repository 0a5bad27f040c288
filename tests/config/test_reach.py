"""Parameters that no config ever draws."""

from __future__ import annotations

import pytest

from sweeper.config.space import Space

WHEN = "name: s\nmodel: {family: mlp, norm: %s, dropout: {uniform: [0.0, 0.5], when: %s}}\n"


@pytest.mark.parametrize(
    ("norm", "when", "dead"),
    [
        ("{choice: [none, batch]}", "{model.norm: layer}", True),
        ("{choice: [none, batch]}", "{model.norm: [layer, batch]}", False),
        ("layer", "{model.norm: batch}", True),
        ("layer", "{model.norm: layer}", False),
        ("none, depth: {int: [1, 4]}", '{model.depth: {">": 4}}', True),
        ("none, depth: {int: [1, 4]}", '{model.depth: {">": 2, "<": 4}}', False),
        ("none, depth: {int: [1, 4]}", '{model.depth: {">": 2, "<": 3}}', True),
        ("none, width: {int: [16, 512], log: true}", '{model.width: {">": 100, "<": 102}}', False),
        ("none, depth: 2, activation: {choice: [relu, tanh]}", "{model.activation: tanh, model.depth: 3}", True),
    ],
)
def test_conditions(norm: str, when: str, dead: bool) -> None:
    """A ``when`` that no value of the other keys fulfils is found, bounds of comparisons included."""
    assert Space.parse(WHEN % (norm, when), "s.yaml").unreachable() == (["model.dropout"] if dead else [])


def test_a_range_of_fractions() -> None:
    """A condition on a number between the bounds of a range can hold."""
    text = "name: s\noptimizer: {name: adamw, lr: {log: [1e-4, 1e-1]}, eps: {log: [1e-9, 1e-7], when: {optimizer.lr: {%s}}}}\n"
    assert Space.parse(text % '">": 0.01, "<": 0.02', "s.yaml").unreachable() == []
    assert Space.parse(text % '">": 0.2', "s.yaml").unreachable() == ["optimizer.eps"]


def test_a_chain_of_conditions() -> None:
    """What waits for a parameter that is never drawn sees its schema default only."""
    text = """
name: s
model:
  family: mlp
  norm: {choice: [none, batch]}
  depth: {int: [3, 5], when: {model.norm: layer}}
  dropout: {uniform: [0.0, 0.5], when: {model.depth: %s}}
"""
    assert Space.parse(text % 4, "s.yaml").unreachable() == ["model.depth", "model.dropout"]
    assert Space.parse(text % 2, "s.yaml").unreachable() == ["model.depth"]


def test_a_branch_that_is_forbidden() -> None:
    """A rule that excludes one sub-tree always leaves its own parameters dead."""
    text = """
name: s
optimizer:
  choice:
    - {name: adamw, lr: {log: [1e-4, 1e-2]}}
    - {name: sgd, lr: {log: [1e-3, 1.0]}, momentum: {uniform: [0.8, 0.99]}}
forbid: [{optimizer.name: sgd}]
"""
    assert Space.parse(text, "s.yaml").unreachable() == ["optimizer.sgd.lr", "optimizer.sgd.momentum"]
    assert Space.parse(text.replace("forbid", "#"), "s.yaml").unreachable() == []


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_shipped_spaces_have_no_dead_line(name: str) -> None:
    """Every parameter that we ship is searched."""
    from sweeper.config.files import find_space

    space = Space.load(find_space(name))
    assert (space.unreachable(), space.idle_rules()) == ([], [])


@pytest.mark.parametrize(
    ("rule", "idle"),
    [
        ("{model.width: 65}", True),
        ("{model.width: [65, 128]}", False),
        ("{model.norm: batch}", True),
        ("{model.norm: none, model.depth: 3}", False),
        ('{model.depth: {">=": 4}}', True),
        ('{model.depth: {">=": 3}, optimizer.name: sgd}', False),
        ("{optimizer.name: sgd, optimizer.lr: {'>': 0.1}}", True),
        ("{optimizer.name: adamw, optimizer.momentum: 0.9}", True),
    ],
)
def test_rules_that_forbid_nothing(rule: str, idle: bool) -> None:
    """A rule whose values no config has together is found, also where each alone occurs."""
    text = """
name: s
model: {family: mlp, width: {choice: [64, 128]}, depth: {int: [1, 3]}}
optimizer:
  choice:
    - {name: adamw, lr: {log: [1e-3, 1.0]}}
    - {name: sgd, lr: {log: [1e-3, 1e-1]}, momentum: 0.9}
forbid:
  - %s
"""
    space = Space.parse(text % rule, "s.yaml")
    assert len(space.rules()) == 1
    assert space.idle_rules() == (space.rules() if idle else [])
