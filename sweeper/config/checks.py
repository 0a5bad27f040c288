"""What must hold between keys that are each allowed by themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sweeper.config import nearest
from sweeper.config.schema import (
    SOURCE_WORDS,
    SOURCES,
    SYNTHETIC,
    Config,
    Data,
    MultiStep,
    Muon,
    ReduceOnPlateau,
    Sgd,
    Tokens,
    Transformer,
    source_kind,
)
from sweeper.config.strict_yaml import KeyPath
from sweeper.trial import CLASSIFICATION_METRICS, REGRESSION_METRICS

STREAMED_WORDS = "true for .npy and .npz files, image folders and functions"


@dataclass(frozen=True)
class Conflict:
    """Keys that do not go together.

    Attributes:
        path: the key to change.
        found: what stands there, and with what it does not go.
        allowed: what may stand there.
        hint: how to write it.
        others: the other keys that are involved.
    """

    path: KeyPath
    found: str
    allowed: str
    hint: str
    others: tuple[KeyPath, ...] = ()


def conflicts(config: Config) -> Iterator[Conflict]:
    """Every conflict within one config."""
    yield from _data(config)
    yield from _task(config)
    yield from _schedule(config)
    yield from _gradients(config)
    yield from _model(config)
    yield from _processes(config)
    optimizer = config.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        hint = "write momentum: 0.9, or nesterov: false"
        yield Conflict(("optimizer", "momentum"), "momentum 0 with nesterov: true", "momentum above 0", hint, (("optimizer", "nesterov"),))


def _data(config: Config) -> Iterator[Conflict]:
    data = config.data
    kind = source_kind(data.source)
    if kind is None:
        hint = nearest.hint(data.source, SOURCES) or f"write source: {SOURCES[0]}"
        yield Conflict(("data", "source"), f'unknown data "{data.source}"', SOURCE_WORDS, hint)
    if data.params and kind != "function" and data.source not in SYNTHETIC:
        found = f"params for {data.source}, which takes none"
        hint = "delete it, or write source: my_package.module:load"
        yield Conflict(("data", "params"), found, "params for a function, or for synthetic data", hint, (("data", "source"),))
    if config.augment.token_synonym and data.synonyms is None:
        found = f"token_synonym {config.augment.token_synonym:g} without a table of synonyms"
        yield Conflict(("augment", "token_synonym"), found, "0, or synonyms in data", "write data: {synonyms: {good: [fine, nice]}}")
    if data.rewrite is None and (data.rewrite_share, data.rewrite_copies) != (1.0, 1):
        key = "rewrite_share" if data.rewrite_share != 1.0 else "rewrite_copies"
        hint = "write rewrite: my_module:function, or delete it"
        yield Conflict(("data", key), f"{key} {getattr(data, key):g} without a function", f"{key} beside rewrite", hint)
    if data.tokens.level == "id":
        if data.text is not None or kind == "named" or data.source.lower().endswith((".csv", ".parquet")):
            hint = "write level: word, or a source of arrays such as x.npy"
            yield Conflict(("data", "tokens", "level"), f"token numbers for {data.source}", "arrays of token numbers", hint)
        elif data.tokens != Tokens(level="id"):
            yield Conflict(
                ("data", "tokens"), "vocabulary or length beside level: id", "level alone", "rows are taken as they are; delete it"
            )
    elif data.tokens != Tokens() and data.text is None and (kind in ("named", "file") and data.source != "synthetic_text"):
        hint = "write text: ..., the name of the column, or delete tokens"
        yield Conflict(("data", "tokens"), f"tokens for {data.source} without a column of texts", "tokens beside text", hint)
    if kind is not None and kind != "folder":
        for key in ("image_size", "image_mode"):
            if getattr(data, key) != Data.model_fields[key].default:
                found = f"{key} {getattr(data, key)} for {data.source}, which is no folder of images"
                hint = "delete it, or write source: ./photos"
                yield Conflict(("data", key), found, "only for a folder of images", hint, (("data", "source"),))
    streamable = kind in ("function", "folder") or data.source.lower().endswith((".npz", ".npy"))
    if data.stream is True and not streamable:
        hint = "write stream: auto, or x.npy and y.npy in a folder"
        yield Conflict(("data", "stream"), f"stream true for {data.source}", STREAMED_WORDS, hint, (("data", "source"),))
    if data.loader_workers and (data.stream is False or not streamable):
        found = f"loader_workers {data.loader_workers} for data that is not streamed"
        yield Conflict(("data", "loader_workers"), found, "0, or streamed data", "write loader_workers: 0, or stream: true")
    if data.val_fraction + data.test_fraction >= 1:
        found = f"val_fraction {data.val_fraction} and test_fraction {data.test_fraction} leave nothing to train on"
        yield Conflict(("data", "val_fraction"), found, "a sum below 1", "write val_fraction: 0.2", (("data", "test_fraction"),))
    by = data.split.by
    if by in ("group", "time") and data.split.column is None:
        hint = f"write split: {{by: {by}, column: ...}}"
        yield Conflict(("data", "split", "by"), f"a split by {by} without a column", f"the name of the {by} column", hint)


def _task(config: Config) -> Iterator[Conflict]:
    metrics = REGRESSION_METRICS if config.task == "regression" else CLASSIFICATION_METRICS
    task = (("task",),)
    if config.search.metric not in metrics:
        found, hint = f"{config.search.metric} does not fit the task {config.task}", f"write metric: {metrics[0]}"
        yield Conflict(("search", "metric"), found, ", ".join(metrics), hint, task)
    if config.task != "classification" and config.training.label_smoothing > 0:
        found = f"label_smoothing {config.training.label_smoothing} with the task {config.task}"
        yield Conflict(("training", "label_smoothing"), found, "0: a row has no single class", "write label_smoothing: 0.0", task)
    if config.task != "multilabel" and isinstance(config.data.target, list):
        found = f"a list of targets with the task {config.task}"
        yield Conflict(("data", "target"), found, "one column", "write task: multilabel, or one column", task)
    if config.task != "classification" and config.training.class_weights != "none":
        found = f"class_weights {config.training.class_weights} with the task {config.task}"
        yield Conflict(("training", "class_weights"), found, "none: a row has no single class", "write class_weights: none", task)


def _model(config: Config) -> Iterator[Conflict]:
    model = config.model
    if isinstance(model, Transformer) and model.width % model.heads:
        found = f"heads {model.heads} with width {model.width}"
        hint = f"write heads: {math.gcd(model.heads, model.width)}, or a width that is a multiple of {model.heads}"
        yield Conflict(("model", "heads"), found, "a divisor of the width", hint, (("model", "width"),))


def _gradients(config: Config) -> Iterator[Conflict]:
    training = config.training
    if training.clip_value is not None and training.clip_norm is not None:
        found = f"clip_value {training.clip_value:g} beside clip_norm {training.clip_norm:g}"
        yield Conflict(("training", "clip_value"), found, "one of the two", "write clip_norm: null beside it", (("training", "clip_norm"),))


def _processes(config: Config) -> Iterator[Conflict]:
    resources, training = config.resources, config.training
    count, processes = resources.processes, (("resources", "processes"),)
    sharding = (("resources", "sharding"),)
    if count == 1:
        if resources.sharding != "none":
            found, hint = f"{resources.sharding} with one process: there is nothing to divide", "write processes: 2 beside it"
            yield Conflict(("resources", "sharding"), found, "none, or more processes", hint, processes)
        return
    size = training.batch_size
    if size % count:
        found = f"batch_size {size}, which {count} processes cannot share evenly"
        hint = f"write batch_size: {-(-size // count) * count}"
        yield Conflict(("training", "batch_size"), found, f"a multiple of {count}", hint, processes)
    if training.engine == "stacked":
        found = f"engine stacked with {count} processes per trial"
        yield Conflict(
            ("training", "engine"), found, "auto or plain: a trial of several processes is no lane", "write engine: auto", processes
        )
    if resources.gpus_per_worker not in ("auto", 0, 1):
        found = f"gpus_per_worker {resources.gpus_per_worker:g} with {count} processes per trial"
        hint = "write gpus_per_worker: 1"
        yield Conflict(("resources", "gpus_per_worker"), found, "1 for each process, 0 for none, or auto", hint, processes)
    if resources.sharding == "fsdp" and training.precision == "fp16":
        found = "fp16 with sharding: fsdp, whose parts would need a loss scaler in common"
        yield Conflict(("training", "precision"), found, "fp32, bf16", "write precision: bf16", sharding)
    if resources.sharding == "fsdp" and isinstance(config.optimizer, Muon):
        found = "muon, which steps whole matrices, with sharding: fsdp, where no process has one"
        yield Conflict(("optimizer", "name"), found, "adamw, adam, rmsprop, lion, sgd", "write name: adamw, or sharding: none", sharding)


def _schedule(config: Config) -> Iterator[Conflict]:
    schedule, training = config.schedule, config.training
    given = [name for name in ("warmup_fraction", "warmup_epochs", "warmup_steps") if getattr(schedule, name) is not None]
    if len(given) > 1:
        first, *others = reversed(given)
        found = f"{first} {getattr(schedule, first):g} beside {' and '.join(others)}"
        yield Conflict(
            ("schedule", first), found, "one way to say it", f"write {others[0]}: null", tuple(("schedule", name) for name in others)
        )
    elif schedule.warmup_epochs is not None and schedule.warmup_epochs >= training.epochs:
        found = f"warmup_epochs {schedule.warmup_epochs:g} of {training.epochs} epochs: the peak is never reached"
        hint = f"write warmup_epochs: {training.epochs / 10:g}"
        yield Conflict(("schedule", "warmup_epochs"), found, f"a number below {training.epochs}", hint, (("training", "epochs"),))
    if isinstance(schedule, MultiStep) and schedule.milestones != sorted(set(schedule.milestones)):
        found = f"milestones {schedule.milestones} are not ascending"
        hint = f"write milestones: {sorted(set(schedule.milestones))}"
        yield Conflict(("schedule", "milestones"), found, "epochs in ascending order, each once", hint)
    if isinstance(schedule, ReduceOnPlateau) and training.patience is not None and schedule.patience >= training.patience:
        found = f"patience {schedule.patience} with training.patience {training.patience}: training stops before the rate is ever reduced"
        allowed, hint = f"a whole number below {training.patience}", "write training.patience: null, or a larger one"
        yield Conflict(("schedule", "patience"), found, allowed, hint, (("training", "patience"),))
    if training.scale_lr_rule != "linear" and training.scale_lr_with_batch is None:
        found = f"scale_lr_rule {training.scale_lr_rule} without scale_lr_with_batch"
        hint = "write scale_lr_with_batch: 64, or the batch size that optimizer.lr is meant for"
        base = (("training", "scale_lr_with_batch"),)
        yield Conflict(("training", "scale_lr_rule"), found, "linear, which does nothing then", hint, base)
