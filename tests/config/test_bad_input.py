"""Mistakes in a space: each has one message that names its place, what stands there, what may stand there and how to write it."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.config.space import Space
from sweeper.config.strict_yaml import dump
from sweeper.errors import InputError, Problem


def problems(text: str, *overrides: str) -> tuple[Problem, ...]:
    """What is wrong with a space."""
    with pytest.raises(InputError) as error:
        Space.parse(text, "s.yaml", overrides)
    return error.value.problems


def case(name: str, text: str, line: int, column: int, path: str, *words: str) -> object:
    """A space with one mistake; ``words`` are found in its message."""
    return pytest.param("name: a\n" + text, line, column, path, words, id=name)


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "words"),
    [
        # keys
        case("unknown key", "modle: {}", 2, 1, "modle", 'unknown key "modle"', "name, task, data, model", 'did you mean "model"?'),
        case("unknown key in a mapping", "search: {trails: 3}", 2, 10, "search.trails", "sampler, trials", 'did you mean "trials"?'),
        case("unknown key in a nested mapping", "data: {split: {colum: a}}", 2, 16, "data.split.colum", "by, column", '"column"'),
        case(
            "parameter of another model", "model: {family: cnn, width: 3}", 2, 22, "model.width", "of family cnn", "channels, depth, kernel"
        ),
        case(
            "parameter of another optimizer", "optimizer: {momentum: 0.9}", 2, 13, "optimizer.momentum", "of name adamw", "lr, weight_decay"
        ),
        case("unknown model", "model: {family: mpl, width: 3}", 2, 9, "model.family", "unknown model mpl", "mlp, cnn", '"mlp"'),
        case(
            "unknown optimizer", "optimizer: {name: loin}", 2, 13, "optimizer.name", "unknown optimizer loin", "adamw, adam, rms", '"lion"'
        ),
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
        # types
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
        case(
            "float where an int belongs", "model: {depth: 3.0}", 2, 9, "model.depth", "3.0", "a whole number from 0 to 64", "write depth: 3"
        ),
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
        # distributions
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
        case(
            "two distributions", "model: {width: {int: [1, 3], choice: [1, 2]}}", 2, 9, "model.width", "two distributions, int and choice"
        ),
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
        case(
            "whole numbers outside the schema", "model: {dropout: {int: [0, 9], log: true}}", 2, 28, "model.dropout", "high is 9", "below 1"
        ),
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
        case(
            "mixed choice of numbers", 'model: {width: {choice: [64, "128"]}}', 2, 17, "model.width", "mixes", "write {choice: [64, 128]}"
        ),
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
        # choices of mappings
        case("names as mappings", "optimizer: {choice: [adamw, sgd]}", 2, 13, "optimizer", "a list of two or more mappings"),
        case("one mapping", "optimizer: {choice: [{name: sgd}]}", 2, 13, "optimizer", "a list of two or more mappings"),
        case("range of mappings", "optimizer: {uniform: [0, 1]}", 2, 13, "optimizer", "a range", "a choice of mappings"),
        case("equal mappings", "optimizer: {choice: [{lr: 0.1}, {lr: 0.1}]}", 2, 33, "optimizer", "stands twice"),
        case(
            "unknown in a sub-tree", "optimizer: {choice: [{}, {name: sgd, beta1: 1}]}", 2, 38, "optimizer.choice[1].beta1", "of name sgd"
        ),
        case("default without a mapping", "optimizer: {choice: [{}, {name: sgd}], default: rms}", 2, 40, "optimizer", "adamw, sgd"),
        # when and forbid
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
        # keys that do not go together
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
            "forbid: [{model.dropout: {'>=': 0.1}}]\nmodel: {dropout: {uniform: [0, 0.5]}}",
            *(2, 1, "forbid", "the default config is forbidden", "another default: to one of model.dropout"),
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
        case(
            "a streamed table", "data: {source: a.csv, stream: true}", 2, 23, "data.stream", "stream true for a.csv", "write stream: auto"
        ),
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
        case(
            "token numbers of a table", "data: {source: a.csv, tokens: {level: id}}", 2, 32, "data.tokens.level", "token numbers for a.csv"
        ),
        case("a length of token numbers", "data: {source: x.npy, tokens: {level: id, length: 9}}", 2, 23, "data.tokens", "level alone"),
        case(
            "synonyms of nothing", "augment: {token_synonym: 0.2}", 2, 11, "augment.token_synonym", "without a table", "good: [fine, nice]"
        ),
        case(
            "synonyms that are no list", "data: {synonyms: {good: fine}}", 2, 8, "data.synonyms", "the mapping", "a mapping or text or null"
        ),
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
    ],
)
def test_a_mistake_has_one_message_at_its_place(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """Each mistake is told once, with its position, its key, and what is allowed or how to write it."""
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.path) == (line, column, path)
    assert str(problem).startswith(f"s.yaml:{line}:{column}  {path}  ")
    assert problem.found
    assert problem.allowed or problem.hint
    for word in words:
        assert word in str(problem)


@pytest.mark.parametrize("name", ["My Sweep", "-a", ".hidden", "mlp; rm -rf x", "../up", "a" * 64, "ä", "a\\nb", ""])
def test_a_bad_name_is_refused(name: str) -> None:
    """A name that could not be a folder, or more than a folder, is refused."""
    (problem,) = problems(f'name: "{name}"\n')
    assert (problem.line, problem.column, problem.path) == (1, 1, "name")
    assert "1 to 63 of a-z, 0-9" in problem.allowed


def test_a_missing_name_is_told() -> None:
    """The one key without a default is asked for."""
    (problem,) = problems("task: regression\n")
    assert problem.path == "name"
    assert "name is missing" in problem.found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    """Unknown keys, wrong values, bad bounds, bad rules and keys that do not go together come in one answer."""
    text = textwrap.dedent("""\
        name: a
        task: regression
        model:
          widht: 3
          dropout: {uniform: [0.5, 0.1]}
          depth: {choice: [1, 2, 2]}
        optimizer: {lr: fast}
        search: {metric: val_accuracy, trials: 0}
        forbid: [{model.norm: btach}]
        """)
    found = problems(text)
    assert [problem.line for problem in found] == [4, 5, 6, 7, 8, 8, 9]
    assert len(set(found)) == len(found)


def test_a_mistake_does_not_cause_another_message() -> None:
    """Keys are not judged together with a key that could not be read."""
    (problem,) = problems("name: a\ntask: regresion\nsearch: {metric: val_mae, grace_epochs: 50}\ntraining: {epochs: 60}\n")
    assert problem.path == "task"
    (problem,) = problems("name: a\nsearch: {grace_epochs: 50}\ntraining: {epochs: lots}\n")
    assert problem.path == "training.epochs"


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


def test_a_whole_number_that_no_sampler_can_hold_is_refused() -> None:
    """Beyond 2**53 a float64 skips whole numbers."""
    (problem,) = problems("name: a\noptimizer: {weight_decay: {int: [1, 1" + "0" * 30 + "]}}\n")
    assert "9007199254740992" in problem.allowed


VALUES = st.sampled_from(
    ["mlp", "sgd", "batch", "relu", 0, 1, 2, -1, 0.5, float("inf"), float("nan"), True, None, "", "3", 10**30, [], {}, "val_loss"]
)
NAMES = ["name", "family", "width", "depth", "norm", "dropout", "lr", "momentum", "epochs", "seed", "split", "metric", "x"]
MARKS = ["choice", "uniform", "log", "int", "step", "default", "when", ">=", "model.norm", "model.depth", "optimizer.momentum"]
TREES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES + MARKS), inner, max_size=4)),
    max_leaves=12,
)
SECTIONS = ["name", "task", "data", "model", "optimizer", "schedule", "training", "search", "resources", "forbid", "provenance"]


@given(
    st.dictionaries(st.sampled_from(SECTIONS), TREES, max_size=5),
    st.lists(
        st.sampled_from(["model.depth=2", "optimizer.lr=sgd", "optimizer.name=sgd", "training.epochs={int: [1, 3]}", "data.split.by=x"]),
        max_size=2,
    ),
)
@settings(max_examples=150)
def test_any_tree_is_a_space_or_has_problems(tree: dict[str, Any], overrides: list[str]) -> None:
    """Whatever stands in a file, the answer is a space or a list of distinct problems."""
    try:
        space = Space.parse(dump({"name": "a", **tree}), "s.yaml", overrides)
    except InputError as refused:
        found = refused.problems
    else:
        found = ()
        assert Space.parse(space.text, "s.yaml") == space
    assert len(set(found)) == len(found)
