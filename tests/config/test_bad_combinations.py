"""Keys that do not go together."""

from __future__ import annotations

import pytest

from tests.config.mistakes import COLUMNS, case, one_message

CASES = [
    case("metric of another task", "search: {metric: val_mae}", 2, 10, "search.metric", "classification", "val_f1_macro, val_auroc"),
    case(
        "grace above epochs",
        "search: {grace_epochs: 9}\ntraining: {epochs: 8}",
        2,
        10,
        "search.grace_epochs",
        "8 epochs",
        "from 1 to 8",
    ),
    case(
        "label smoothing",
        "task: regression\ntraining: {label_smoothing: 0.1}",
        3,
        12,
        "training.label_smoothing",
        "regression",
        "label_smoothing: 0.0",
    ),
    case(
        "two warm-ups",
        "schedule: {name: constant, warmup_fraction: 0.1, warmup_steps: 5}",
        *(2, 50, "schedule.warmup_steps", "warmup_steps 5 beside warmup_fraction", "one way to say it", "write warmup_fraction: null"),
    ),
    case(
        "three warm-ups",
        "schedule: {warmup_fraction: 0.1, warmup_steps: 5, warmup_epochs: {uniform: [0, 2]}}\nsearch: {grace_epochs: 2}",
        *(2, 34, "schedule.warmup_steps", "warmup_steps 5 beside warmup_epochs and warmup_fraction"),
    ),
    case(
        "a warm-up without end",
        "training: {epochs: 5}\nschedule: {name: step, warmup_epochs: 5}",
        *(3, 24, "schedule.warmup_epochs", "5 of 5 epochs: the peak is never reached", "a number below 5", "warmup_epochs: 0.5"),
    ),
    case(
        "a warm-up in steps under auto",
        "schedule: {name: step, warmup_steps: 500}\nsearch: {grace_epochs: auto}",
        *(3, 10, "search.grace_epochs", "in which epoch a warm-up of 500 steps ends", "write grace_epochs: 4"),
    ),
    case(
        "milestones that go back",
        "schedule: {name: multi_step, milestones: [20, 10, 20]}",
        *(2, 30, "schedule.milestones", "[20, 10, 20] are not ascending", "write milestones: [10, 20]"),
    ),
    case(
        "a plateau that never is",
        "schedule: {name: reduce_on_plateau, patience: {int: [2, 8]}}",
        *(2, 37, "schedule.patience", "patience 8 with training.patience 8", "below 8", "training.patience: null"),
    ),
    case(
        "a rule without a base",
        "training: {scale_lr_rule: sqrt}",
        *(2, 12, "training.scale_lr_rule", "sqrt without scale_lr_with_batch", "linear", "scale_lr_with_batch: 64"),
    ),
    case(
        "clipping twice",
        "training: {clip_value: 0.5}",
        *(2, 12, "training.clip_value", "clip_value 0.5 beside clip_norm 1", "one of the two", "write clip_norm: null"),
    ),
    case(
        "weights without classes",
        "task: regression\ntraining: {class_weights: balanced}",
        *(3, 12, "training.class_weights", "with the task regression", "write class_weights: none"),
    ),
    case("a word for an alpha", "augment: {mixup: strong}", 2, 11, "augment.mixup", "a number from 0 to 100"),
    case("an unknown change", "augment: {mix_up: 0.2}", 2, 11, "augment.mix_up", "mixup"),
    case("nesterov", "optimizer: {name: sgd, nesterov: true, momentum: 0}", 2, 40, "optimizer.momentum", "nesterov: true", "above 0"),
    case(
        "nesterov in a sub-tree",
        "optimizer: {choice: [{}, {name: sgd, nesterov: true, momentum: {uniform: [0.0, 0.9]}}]}",
        *(2, 54, "optimizer.choice[1].momentum", "nesterov: true"),
    ),
    case("no rows to train on", "data: {val_fraction: 0.5, test_fraction: 0.5}", 2, 8, "data.val_fraction", "a sum below 1"),
    case(
        "default forbidden among fractions",
        "forbid: [{model.dropout: {'>=': 0.1}}]\nmodel: {width: {choice: [32, 64]}, dropout: {uniform: [0, 0.5]}}",
        *(2, 1, "forbid", "the default config is forbidden", "another default: to one of model.dropout"),
    ),
    case(
        "a default sub-tree that is forbidden",
        "forbid: [{optimizer.name: adamw}]\noptimizer: {choice: [{name: adamw, lr: {log: [1e-4, 1e-2]}}, {name: sgd}]}",
        *(2, 1, "forbid", "the default config is forbidden", "put another sub-tree first in the choice"),
    ),
    case(
        "smoothing of labels that are 0 and 1 each",
        *("task: multilabel\ntraining: {label_smoothing: 0.1}", 3, 12, "training.label_smoothing", "task multilabel"),
    ),
    case("a metric of another task", "task: multilabel\nsearch: {metric: val_r2}", 3, 10, "search.metric", "val_f1_macro"),
    case(
        "several targets, one class",
        *("data: {source: a.csv, target: [a, b]}", 2, 23, "data.target", "a list of targets", "write task: multilabel"),
    ),
    case("params of a file", "data: {source: a.csv, params: {rows: 3}}", 2, 23, "data.params", "a.csv, which takes none"),
    case("the size of no image", "data: {source: a.csv, image_size: 64}", 2, 23, "data.image_size", "which is no folder of images"),
    case("the mode of no image", "data: {image_mode: grey}", 2, 8, "data.image_mode", "digits, which is no folder"),
    case("tokens of no text", "data: {source: a.csv, tokens: {length: 9}}", 2, 23, "data.tokens", "without a column of texts"),
    case("a streamed table", "data: {source: a.csv, stream: true}", 2, 23, "data.stream", "stream true for a.csv", "write stream: auto"),
    case(
        "a stream of something",
        "data: {source: x.npy, stream: sometimes}",
        2,
        23,
        "data.stream",
        '"sometimes"',
        "auto or true or false",
    ),
    case("readers of a table", "data: {source: a.csv, loader_workers: 2}", 2, 23, "data.loader_workers", "that is not streamed"),
    case(
        "readers of what is in memory",
        *("data: {source: x.npy, stream: false, loader_workers: 2}", 2, 38, "data.loader_workers", "write loader_workers: 0"),
    ),
    case("token numbers of a table", "data: {source: a.csv, tokens: {level: id}}", 2, 32, "data.tokens.level", "token numbers for a.csv"),
    case("a length of token numbers", "data: {source: x.npy, tokens: {level: id, length: 9}}", 2, 23, "data.tokens", "level alone"),
    case("synonyms of nothing", "augment: {token_synonym: 0.2}", 2, 11, "augment.token_synonym", "without a table", "good: [fine, nice]"),
    case("synonyms that are no list", "data: {synonyms: {good: fine}}", 2, 8, "data.synonyms", "the mapping", "a mapping or text or null"),
    case("copies by nobody", "data: {rewrite_copies: 3}", 2, 8, "data.rewrite_copies", "without a function", "rewrite: my_module"),
    case("an image of no size", "data: {image_size: 0}", 2, 8, "data.image_size", "a whole number from 1 to 2048"),
    case(
        "rows that do not share out",
        *("resources: {processes: 3}\ntraining: {batch_size: 64}", 3, 12, "training.batch_size", "3 processes", "write batch_size: 66"),
    ),
    case(
        "a lane of several processes",
        *("resources: {processes: 2}\ntraining: {engine: stacked}", 3, 12, "training.engine", "auto or plain", "write engine: auto"),
    ),
    case(
        "a fraction of a GPU for several processes",
        *("resources: {processes: 2, gpus_per_worker: 0.5}", 2, 27, "resources.gpus_per_worker", "1 for each process"),
    ),
    case("nothing to shard", "resources: {sharding: fsdp}", 2, 13, "resources.sharding", "fsdp with one process", "write processes: 2"),
    case(
        "fp16 in parts",
        *(
            "resources: {processes: 2, sharding: fsdp}\ntraining: {precision: fp16}",
            3,
            12,
            "training.precision",
            "write precision: bf16",
        ),
    ),
    case(
        "muon in parts",
        *("resources: {processes: 2, sharding: fsdp}\noptimizer: {name: muon}", 3, 13, "optimizer.name", "write name: adamw"),
    ),
    case("group without column", "data: {split: {by: group}}", 2, 16, "data.split.by", "without a column", "column: ..."),
    case("time without column", "data: {split: {by: time}}", 2, 16, "data.split.by", "the name of the time column"),
]


@pytest.mark.parametrize(COLUMNS, CASES)
def test_a_mistake_has_one_message_at_its_place(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """Each mistake is told once, with its position, its key, and what is allowed or how to write it."""
    one_message(text, line, column, path, words)
