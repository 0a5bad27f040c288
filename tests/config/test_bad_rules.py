"""Conditions and exclusions: ``when`` and ``forbid``."""

from __future__ import annotations

import pytest

from sweeper.config.space import Space
from tests.config.mistakes import COLUMNS, case, one_message, problems

CASES = [
    case(
        "unknown parent",
        "model: {width: {int: [1, 3], when: {model.nrom: batch}}}",
        2,
        37,
        "model.width",
        "unknown key",
        '"model.norm"',
    ),
    case(
        "absent parent",
        "model: {width: {int: [1, 3], when: {optimizer.momentum: 0}}}",
        2,
        37,
        "model.width",
        "no optimizer of this file",
        "lr",
    ),
    case(
        "impossible parent value",
        "model: {width: {int: [1, 3], when: {model.norm: bacth}}}",
        2,
        37,
        "model.width",
        "can never be",
        '"batch"',
    ),
    case("unknown comparison", "model: {width: {int: [1, 3], when: {model.depth: {=>: 3}}}}", 2, 37, "model.width", "> >= < <= !="),
    case("comparison of words", "model: {width: {int: [1, 3], when: {model.norm: {'>': 3}}}}", 2, 37, "model.width", "not a number"),
    case(
        "parent that is not searched",
        "model: {width: {int: [1, 3], when: {data.seed: 1}}}",
        2,
        37,
        "model.width",
        "a key of model, init, optimizer",
    ),
    case("parent without values", "model: {width: {int: [1, 3], when: {model.norm: []}}}", 2, 37, "model.width", "an empty list"),
    case("empty when", "model: {width: {int: [1, 3], when: {}}}", 2, 30, "model.width", "a mapping of keys to values"),
    case(
        "shape waits for a scalar",
        "model: {dropout: {uniform: [0, 0.5]}, width: {int: [1, 3], when: {model.dropout: {'>': 0.1}}}}",
        *(2, 60, "model.width", "model.width fixes the shape", "model.dropout, which does not"),
    ),
    case(
        "when on itself",
        "model: {width: {int: [1, 3], when: {model.width: 2}}}",
        2,
        30,
        "model.width",
        "waits for model.width, in a circle",
    ),
    case("forbid unknown", "forbid: [{model.widht: 4}]", 2, 11, "forbid", 'unknown key "model.widht"', '"model.width"'),
    case("forbid empty", "forbid: [{}]", 2, 10, "forbid", "a mapping of keys to values"),
    case("forbid a value", "forbid: [3]", 2, 10, "forbid", "3", "a mapping of keys to values"),
    case("forbid no list", "forbid: {model.depth: 3}", 2, 1, "forbid", "write forbid: [{model.depth: 3}]"),
    case(
        "forbid everything",
        "forbid: [{model.depth: [1, 2]}]\nmodel: {depth: {int: [1, 2]}}",
        2,
        1,
        "forbid",
        "forbid every combination",
    ),
    case(
        "forbid everything among fractions",
        "forbid: [{model.dropout: {'>=': 0}}]\nmodel: {dropout: {uniform: [0, 0.5]}}",
        *(2, 1, "forbid", "forbid every combination"),
    ),
    case(
        "forbid the default",
        "forbid: [{model.depth: 1}]\nmodel: {depth: {int: [1, 2]}}",
        2,
        1,
        "forbid",
        "the default config is forbidden",
        "model.depth",
    ),
]


@pytest.mark.parametrize(COLUMNS, CASES)
def test_a_mistake_has_one_message_at_its_place(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """Each mistake is told once, with its position, its key, and what is allowed or how to write it."""
    one_message(text, line, column, path, words)


def test_a_circle_names_all_who_wait() -> None:
    """Conditions that wait for each other are each told."""
    text = "name: a\nmodel:\n  width: {int: [1, 3], when: {model.depth: 2}}\n  depth: {int: [1, 3], when: {model.width: 2}}\n"
    assert [(problem.line, problem.path) for problem in problems(text)] == [(3, "model.width"), (4, "model.depth")]


def test_a_conflict_between_options_may_be_forbidden() -> None:
    """Keys that only clash in some combinations are fine once a rule excludes these."""
    text = (
        "name: a\noptimizer: {name: sgd, nesterov: {choice: [true, false], default: false}, momentum: {choice: [0.0, 0.9]}}\n"
        "forbid: [{optimizer.nesterov: true, optimizer.momentum: 0}]\n"
    )
    assert Space.parse(text, "s.yaml").combinations() == 3
