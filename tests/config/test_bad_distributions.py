"""Ranges and choices that cannot be drawn from."""

from __future__ import annotations

import pytest

from tests.config.mistakes import COLUMNS, case, one_message, problems

CASES = [
    case(
        "unknown distribution",
        "model: {dropout: {unifrom: [0, 1]}}",
        2,
        19,
        "model.dropout",
        "{uniform: [0.0, 0.5]}",
        'mean "uniform"?',
    ),
    case("no distribution", "model: {width: {}}", 2, 9, "model.width", "names no distribution", "write width: 128"),
    case("two distributions", "model: {width: {int: [1, 3], choice: [1, 2]}}", 2, 9, "model.width", "two distributions, int and choice"),
    case(
        "unknown key beside",
        "model: {width: {int: [1, 3], defualt: 2}}",
        2,
        30,
        "model.width",
        "default, when",
        'did you mean "default"?',
    ),
    case(
        "low above high",
        "model: {dropout: {uniform: [0.5, 0.1]}}",
        2,
        19,
        "model.dropout",
        "low 0.5 is above high 0.1",
        "{uniform: [0.1, 0.5]}",
    ),
    case("low equals high", "model: {width: {int: [3, 3]}}", 2, 17, "model.width", "low and high are both 3", "write width: 3"),
    case("log from 0", "optimizer: {lr: {log: [0, 0.1]}}", 2, 24, "optimizer.lr", "low is 0, which has no logarithm", "above 0"),
    case("log int from 0", "optimizer: {eps: {log: [-1, 1]}}", 2, 25, "optimizer.eps", "low is -1, which has no logarithm"),
    case("whole numbers outside the schema", "model: {dropout: {int: [0, 9], log: true}}", 2, 28, "model.dropout", "high is 9", "below 1"),
    case("log int with low 0", "optimizer: {weight_decay: {int: [0, 9], log: true}}", 2, 34, "optimizer.weight_decay", "no logarithm"),
    case("nan bound", "model: {dropout: {uniform: [.nan, 0.5]}}", 2, 29, "model.dropout", "low is not finite"),
    case("infinite bound", "optimizer: {lr: {log: [1e-5, .inf]}}", 2, 30, "optimizer.lr", "high is not finite"),
    case("bound outside the schema", "model: {dropout: {uniform: [0.0, 1.5]}}", 2, 34, "model.dropout", "high is 1.5", "below 1"),
    case("true as a bound", "model: {width: {int: [true, 4]}}", 2, 23, "model.width", "low is true", "a number"),
    case("one bound", "model: {width: {int: [4]}}", 2, 17, "model.width", "the list [4]", "two bounds", "{int: [1, 4]}"),
    case("fraction as int bound", "model: {depth: {int: [1, 4.5]}}", 2, 26, "model.depth", "high is 4.5", "a whole number"),
    case(
        "fractions for an int",
        "model: {width: {log: [16, 512]}}",
        2,
        17,
        "model.width",
        "draws fractions",
        "{int: [16, 512], log: true}",
    ),
    case("range of words", "model: {norm: {uniform: [0, 1]}}", 2, 16, "model.norm", "not a number", "{choice: [none, batch, layer]}"),
    case("step 0", "model: {width: {int: [1, 9], step: 0}}", 2, 30, "model.width", "step is 0", "from 1 to 8"),
    case("step -1", "model: {width: {int: [1, 9], step: -1}}", 2, 30, "model.width", "step is -1", "from 1 to 8"),
    case(
        "step with log",
        "model: {width: {int: [1, 9], log: true, step: 2}}",
        2,
        41,
        "model.width",
        "step together with log",
        "delete step or log",
    ),
    case("step of a float", "model: {dropout: {uniform: [0, 0.5], step: 0.1}}", 2, 38, "model.dropout", "step belongs to {int"),
    case("log that is no switch", "model: {width: {int: [1, 9], log: 2}}", 2, 30, "model.width", "log is 2", "true or false"),
    case("empty choice", "model: {width: {choice: []}}", 2, 17, "model.width", "an empty choice", "two or more values"),
    case("single choice", "model: {width: {choice: [3]}}", 2, 17, "model.width", "a choice of one", "write width: 3"),
    case("duplicate choice", "model: {norm: {choice: [none, batch, none]}}", 2, 38, "model.norm", "none stands twice"),
    case("equal numbers", "model: {dropout: {choice: [0, 0.0]}}", 2, 31, "model.dropout", "0.0 stands twice"),
    case("mixed choice", "model: {width: {choice: [64, big]}}", 2, 17, "model.width", "mixes text and whole numbers"),
    case("mixed choice of numbers", 'model: {width: {choice: [64, "128"]}}', 2, 17, "model.width", "mixes", "write {choice: [64, 128]}"),
    case(
        "mappings as options",
        "model: {width: {choice: [{a: 1}, 64, [3]]}}",
        2,
        17,
        "model.width",
        "mixes lists and mappings and whole numbers",
    ),
    case("wrong option", "model: {activation: {choice: [relu, gelo]}}", 2, 37, "model.activation", "gelo", 'did you mean "gelu"?'),
    case(
        "default outside",
        "model: {width: {choice: [3, 4], default: 5}}",
        2,
        33,
        "model.width",
        "the default 5 cannot be drawn",
        "{choice: [3, 4]}",
    ),
    case("seed searched", "training: {seed: {int: [0, 3]}}", 2, 12, "training.seed", "cannot be searched", "draws one per trial"),
    case(
        "family searched",
        "model: {family: {choice: [mlp, cnn]}}",
        2,
        9,
        "model.family",
        "{choice: [{family: mlp, ...}, {family: cnn, ...}]}",
    ),
    case(
        "data searched",
        "data: {seed: {int: [0, 3]}}",
        2,
        8,
        "data.seed",
        "data cannot be searched",
        "model, init, optimizer, schedule, training",
    ),
    case("search searched", "search: {choice: [1, 2]}", 2, 1, "search", "search cannot be searched"),
    case("task searched", "task: {choice: [classification, regression]}", 2, 1, "task", "task cannot be searched"),
    case("names as mappings", "optimizer: {choice: [adamw, sgd]}", 2, 13, "optimizer", "a list of two or more mappings"),
    case("one mapping", "optimizer: {choice: [{name: sgd}]}", 2, 13, "optimizer", "a list of two or more mappings"),
    case("range of mappings", "optimizer: {uniform: [0, 1]}", 2, 13, "optimizer", "a range", "a choice of mappings"),
    case("equal mappings", "optimizer: {choice: [{lr: 0.1}, {lr: 0.1}]}", 2, 33, "optimizer", "stands twice"),
    case("unknown in a sub-tree", "optimizer: {choice: [{}, {name: sgd, beta1: 1}]}", 2, 38, "optimizer.choice[1].beta1", "of name sgd"),
    case("default without a mapping", "optimizer: {choice: [{}, {name: sgd}], default: rms}", 2, 40, "optimizer", "adamw, sgd"),
]


@pytest.mark.parametrize(COLUMNS, CASES)
def test_a_mistake_has_one_message_at_its_place(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """Each mistake is told once, with its position, its key, and what is allowed or how to write it."""
    one_message(text, line, column, path, words)


def test_a_whole_number_that_no_sampler_can_hold_is_refused() -> None:
    """Beyond 2**53 a float64 skips whole numbers."""
    (problem,) = problems("name: a\noptimizer: {weight_decay: {int: [1, 1" + "0" * 30 + "]}}\n")
    assert "9007199254740992" in problem.allowed
