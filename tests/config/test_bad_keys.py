"""Keys that are not there, or not of what was chosen, and words that stand for nothing."""

from __future__ import annotations

import pytest

from tests.config.mistakes import COLUMNS, case, one_message

CASES = [
    case("unknown key", "modle: {}", 2, 1, "modle", 'unknown key "modle"', "name, task, data, model", 'did you mean "model"?'),
    case("unknown key in a mapping", "search: {trails: 3}", 2, 10, "search.trails", "sampler, trials", 'did you mean "trials"?'),
    case("unknown key in a nested mapping", "data: {split: {colum: a}}", 2, 16, "data.split.colum", "by, column", '"column"'),
    case("parameter of another model", "model: {family: cnn, width: 3}", 2, 22, "model.width", "of family cnn", "channels, depth, kernel"),
    case("parameter of another optimizer", "optimizer: {momentum: 0.9}", 2, 13, "optimizer.momentum", "of name adamw", "lr, weight_decay"),
    case("unknown model", "model: {family: mpl, width: 3}", 2, 9, "model.family", "unknown model mpl", "mlp, cnn", '"mlp"'),
    case("unknown optimizer", "optimizer: {name: loin}", 2, 13, "optimizer.name", "unknown optimizer loin", "adamw, adam, rms", '"lion"'),
    case("auto for another key", "optimizer: {weight_decay: auto}", 2, 13, "optimizer.weight_decay", "only optimizer.lr", "lr: auto"),
    case("auto with one bound", "optimizer: {lr: {auto: [0.1]}}", 2, 18, "optimizer.lr", "two bounds", "{auto: [1e-4, 1e-1]}"),
    case("auto from 0", "optimizer: {lr: {auto: [0, 1]}}", 2, 25, "optimizer.lr", "low is 0", "above 0"),
    case("auto beside log", "optimizer: {lr: {auto: [1, 2], log: [1, 2]}}", 2, 32, "optimizer.lr", "auto and log", "keep one"),
    case("auto beside a typo", "optimizer: {lr: {auto: null, defualt: 1}}", 2, 30, "optimizer.lr", "beside auto", '"default"'),
    case("default outside auto", "optimizer: {lr: {auto: [1, 2], default: 3}}", 2, 32, "optimizer.lr", "default 3", "[1.0, 2.0]"),
    case("unknown schedule", "schedule: {name: cosin}", 2, 12, "schedule.name", "constant, step, multi_step", '"cosine"'),
    case("no milestones", "schedule: {name: multi_step, milestones: []}", 2, 30, "schedule.milestones", "[]", "a list of one or more"),
    case("a milestone of 0", "schedule: {name: multi_step, milestones: [0, 5]}", 2, 30, "schedule.milestones", "[0, 5]", "at least 1"),
    case(
        "a range of lists",
        "schedule: {name: multi_step, milestones: {int: [5, 9]}}",
        *(2, 43, "schedule.milestones", "milestones is not a number", "write milestones: [15, 25]"),
    ),
    case(
        "a choice of lists",
        "schedule: {name: multi_step, milestones: {choice: [[5, 9], [7, 8]]}}",
        *(2, 43, "schedule.milestones", "lists cannot be drawn"),
        "write schedule: {choice: [{..., milestones: [5, 9]}, {..., milestones: [7, 8]}]}",
    ),
    case(
        "unknown data",
        "data: {source: digit}",
        2,
        8,
        "data.source",
        'unknown data "digit"',
        "digits, breast_cancer",
        ".csv",
        '"digits"',
    ),
    case("unknown split", "data: {split: {by: groups}}", 2, 16, "data.split.by", "random, group or time", 'did you mean "group"?'),
    case("unknown sampler", "search: {sampler: bayes}", 2, 10, "search.sampler", "random or tpe"),
    case("no mapping", "model: mlp", 2, 1, "model", 'the text "mlp"', "a mapping", "write model: {family: mlp}"),
    case("nothing under a key", "data:", 2, 1, "data", "nothing (null)", "write data: {source: ...}"),
]


@pytest.mark.parametrize(COLUMNS, CASES)
def test_a_mistake_has_one_message_at_its_place(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """Each mistake is told once, with its position, its key, and what is allowed or how to write it."""
    one_message(text, line, column, path, words)
