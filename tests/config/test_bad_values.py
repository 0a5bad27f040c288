"""Values of another type, or out of bounds."""

from __future__ import annotations

import pytest

from tests.config.mistakes import COLUMNS, case, one_message

CASES = [
    case("no where text is meant", "model: {activation: no}", 2, 9, "model.activation", 'the text "no"', "relu, gelu"),
    case(
        "on where a switch is meant",
        "optimizer: {name: sgd, nesterov: on}",
        2,
        24,
        "optimizer.nesterov",
        "true or false",
        "nesterov: true",
    ),
    case(
        "true where a number belongs",
        "model: {width: true}",
        2,
        9,
        "model.width",
        "true, which is yes or no",
        "a whole number from 1",
        "width: 128",
    ),
    case("true where a fraction belongs", "model: {dropout: true}", 2, 9, "model.dropout", "at least 0 and below 1"),
    case(
        "text where a number belongs",
        'optimizer: {lr: "1e-3"}',
        2,
        13,
        "optimizer.lr",
        "a number above 0",
        "write 0.001 without quotes",
    ),
    case("float where an int belongs", "model: {depth: 3.0}", 2, 9, "model.depth", "3.0", "a whole number from 0 to 64", "write depth: 3"),
    case("out of bounds", "model: {dropout: 1}", 2, 9, "model.dropout", "at least 0 and below 1"),
    case("infinite", "training: {clip_norm: .inf}", 2, 12, "training.clip_norm", "inf", "a number above 0 or null"),
    case("not a number", "optimizer: {lr: .nan}", 2, 13, "optimizer.lr", "nan", "a number above 0"),
    case("a list where a value belongs", "model: {norm: [batch, layer]}", 2, 9, "model.norm", "{choice: [batch, layer]}"),
    case("a value where a list belongs", "data: {drop: id}", 2, 8, "data.drop", "a list", "write drop: [id]"),
    case("trials 0", "search: {trials: 0}", 2, 10, "search.trials", "0", "a whole number from 1 to 1000000"),
    case("trials -1", "search: {trials: -1}", 2, 10, "search.trials", "-1", "a whole number from 1 to 1000000"),
    case("trials 1.5", "search: {trials: 1.5}", 2, 10, "search.trials", "1.5", "a whole number from 1 to 1000000"),
    case("trials 1e9", "search: {trials: 1e9}", 2, 10, "search.trials", "1000000000.0", "a whole number from 1 to 1000000"),
    case("trials too many", "search: {trials: 1000000000}", 2, 10, "search.trials", "a whole number from 1 to 1000000"),
    case("workers 0", "resources: {workers: 0}", 2, 13, "resources.workers", "auto or a whole number at least 1"),
    case("unknown metric", "search: {metric: val_acc}", 2, 10, "search.metric", "val_loss, val_accuracy", '"val_accuracy"'),
]


@pytest.mark.parametrize(COLUMNS, CASES)
def test_a_mistake_has_one_message_at_its_place(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """Each mistake is told once, with its position, its key, and what is allowed or how to write it."""
    one_message(text, line, column, path, words)
