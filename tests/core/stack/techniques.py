"""The techniques that training knows, as configs of a few trials each; a new one joins by one line of ``TECHNIQUES``."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset, Part
from sweeper.data.prepare import prepare
from sweeper.trial import Trial
from tests.core.driving import cut


@dataclass(frozen=True)
class Technique:
    """What is tried.

    Attributes:
        parts: of the config, beside ``COMMON``; a list's values go round the lanes.
        data: set it is tried on.
        rows: of the training part.
        tolerance: relative and absolute, between stacked and plain.
    """

    parts: dict[str, dict[str, Any]]
    data: str = "digits"
    rows: int = 150
    tolerance: float = 1e-5

    @property
    def layered(self) -> bool:
        """Whether the stack keeps bits: sequences of known layers do, models that torch maps come close."""
        return self.parts.get("model", {}).get("family", "mlp") == "mlp"


def tried(*, data: str = "digits", rows: int = 150, tolerance: float = 1e-5, **parts: dict[str, Any]) -> Technique:
    """One line of the table."""
    return Technique(parts, data, rows, tolerance)


COMMON: dict[str, dict[str, Any]] = {
    "model": {"family": "mlp", "width": 24},
    "optimizer": {"name": "adamw", "lr": [1e-3, 4e-3, 5e-4, 2e-3, 8e-4], "weight_decay": [0.0, 0.1]},
    "training": {"epochs": 3, "batch_size": 32, "patience": None},
}
BF16 = {"precision": "bf16"}
RATES = {"lr": [1e-3, 2e-3, 5e-4]}
SGD = {"name": "sgd", "lr": [1e-2, 4e-2, 2e-2], "weight_decay": [1e-3, 0.0]}
CNN = {"family": "cnn", "channels": 3, "hidden": 12}
TRANSFORMER = {"family": "transformer", "width": 8, "heads": 2, "depth": 1, "dropout": 0.0, "attention_dropout": 0.0}
# Before a batch norm a bias has no gradient but rounding noise, of which AdamW makes steps as long as any unless eps swallows it.
STEADY = {"eps": 1e-3}
# A mapping per lane.
BY_EPOCH: Any = [
    {"name": "reduce_on_plateau", "patience": 1},
    {"name": "step", "step_size": 1, "warmup_epochs": 0.5},
    {"name": "multi_step", "milestones": [1, 2], "gamma": 0.5},
    {"name": "cosine_restarts", "period": 1, "warmup_steps": 2},
]
BY_STEP: Any = [
    {"name": "exponential", "gamma": 0.5},
    {"name": "one_cycle"},
    {"name": "cosine", "warmup_steps": 3},
    {"name": "warmup_linear", "final_fraction": 0.1},
]
REGRESSION: dict[str, Any] = {"task": "regression", "search": {"metric": "val_rmse"}}
MULTILABEL: dict[str, Any] = {"task": "multilabel", "search": {"metric": "val_auroc"}}

TECHNIQUES = {
    "adamw": tried(),
    "no-monitor": tried(training={"monitor": False}),
    "betas": tried(optimizer={"beta1": [0.9, 0.5, 0.0], "beta2": [0.999, 0.9], "eps": [1e-8, 1e-3, 1e-6]}),
    "sgd": tried(optimizer=SGD),
    "momentum": tried(optimizer={**SGD, "momentum": [0.9, 0.0, 0.5]}),
    "nesterov": tried(optimizer={**SGD, "nesterov": True, "momentum": [0.9, 0.5]}),
    "adam": tried(optimizer={**RATES, "name": "adam", "weight_decay": [1e-2, 0.0], "beta1": [0.9, 0.5], "beta2": [0.999, 0.9, 0.99]}),
    "rmsprop": tried(
        optimizer={**RATES, "name": "rmsprop", "momentum": [0.9, 0.0, 0.5], "weight_decay": [1e-2, 0.0], "alpha": [0.99, 0.9]}
    ),
    "lion": tried(
        optimizer={"name": "lion", "lr": [1e-4, 4e-4, 2e-4], "weight_decay": [0.1, 0.0, 1.0], "beta1": [0.9, 0.5], "beta2": [0.99, 0.9]},
        model={"width": 13},
        training={"batch_size": 19, "clip_norm": [None, 0.05]},
    ),
    "constant": tried(schedule={"name": "constant"}),
    "schedules": tried(schedule={"name": "warmup_cosine", "warmup_fraction": [0.0, 0.5, 0.2], "final_fraction": [0.0, 0.3]}),
    "schedules-by-epoch": tried(schedule=BY_EPOCH, training={"min_delta": 100.0}),
    "schedules-by-step": tried(schedule=BY_STEP),
    "scaled-rates": tried(training={"scale_lr_with_batch": [64, None, 16], "scale_lr_rule": ["linear", "linear", "sqrt"]}),
    "clipping": tried(training={"clip_norm": [None, 0.05, 1.0]}),
    "clipping-sgd": tried(training={"clip_norm": [None, 0.05, 1.0]}, optimizer=SGD),
    "clipping-by-value": tried(training={"clip_norm": [None, 0.1], "clip_value": [0.003, None]}, optimizer=SGD),
    "class-weights": tried(training={"class_weights": ["none", "balanced"], "label_smoothing": [0.1, 0.0, 0.2]}),
    "mixing": tried(
        augment={"mixup": [0.3, 0.0], "noise": [0.0, 0.1], "cutmix": [0.0, 0.0, 1.0]},
        training={"batch_size": 8, "accumulate": 4, "class_weights": ["none", "none", "balanced"], "clip_norm": 0.5},
    ),
    "images": tried(
        augment={"crop": [1, 0], "rotate": [15, 0, 5], "resized_crop": [0.0, 0.2], "flip": [0.5, 0.0], "color_jitter": 0.2, "erase": 0.2}
    ),
    "smoothing": tried(training={"label_smoothing": [0.0, 0.1, 0.3]}),
    "dropout": tried(model={"dropout": 0.3}),
    "dropout-per-lane": tried(model={"dropout": [0.1, 0.5, 0.25]}),
    "dropout-beside-none": tried(model={"dropout": [0.0, 0.5]}),
    "dropout-odd": tried(model={"dropout": [0.0, 0.5], "width": 13}, training={"batch_size": 19}),
    "batch-norm": tried(model={"norm": "batch"}, optimizer=STEADY),
    "batch-norm-adamw": tried(model={"norm": "batch"}, tolerance=5e-3),
    "batch-norm-dropout": tried(optimizer=STEADY, model={"norm": "batch", "dropout": [0.0, 0.4]}),
    "batch-norm-one-row-over": tried(optimizer=STEADY, model={"norm": "batch"}, training={"batch_size": 149}),
    "batch-norm-two-rows-over": tried(optimizer=STEADY, model={"norm": "batch"}, training={"batch_size": 37}, tolerance=1e-3),
    "batch-norm-sgd": tried(model={"norm": "batch"}, optimizer=SGD),
    "layer-norm": tried(model={"norm": "layer"}),
    "layer-norm-dropout": tried(model={"norm": "layer", "dropout": [0.4, 0.0], "activation": "gelu"}),
    "gelu": tried(model={"activation": "gelu"}),
    "silu": tried(model={"activation": "silu"}),
    "tanh": tried(model={"activation": "tanh"}),
    "leaky-relu": tried(model={"activation": "leaky_relu"}),
    "elu": tried(model={"activation": "elu"}),
    "selu": tried(model={"activation": "selu"}),
    "sigmoid": tried(model={"activation": "sigmoid"}),
    "widths": tried(model={"widths": [[33, 8, 17]], "dropout": [0.2, 0.0]}),
    "init": tried(init={"scheme": ["he_normal", "orthogonal", "xavier_normal", "lecun_uniform"], "head_gain": [0.1, 1.0, 0.5]}),
    "width-50-batch-50": tried(model={"width": 50, "activation": "gelu"}, training={"batch_size": 50}),
    "width-1": tried(model={"width": 1, "activation": "tanh"}),
    "width-1-batch-norm": tried(optimizer=STEADY, model={"width": 1, "norm": "batch", "activation": "elu"}, training={"batch_size": 50}),
    "width-33-batch-7": tried(model={"width": 33, "norm": "layer", "activation": "silu"}, training={"batch_size": 7}, rows=64),
    "batch-1": tried(training={"batch_size": 1}, rows=12),
    "full-batch": tried(training={"batch_size": 150}),
    "accumulate": tried(
        training={"batch_size": 19, "accumulate": 3, "clip_norm": [None, 0.1]},
        model={"norm": "layer", "width": 13, "dropout": [0.0, 0.3]},
        rows=101,
    ),
    "deep": tried(model={"depth": 5, "norm": "layer"}),
    "linear": tried(data="diabetes", model={"depth": 0, "dropout": 0.3}, **REGRESSION),
    "odd-table": tried(data="wine", rows=101, model={"width": 17, "dropout": [0.2, 0.0]}),
    "auroc": tried(data="breast_cancer", search={"metric": "val_auroc"}),
    "regression": tried(data="diabetes", **REGRESSION),
    "multilabel": tried(data="odd, large and prime digits", **MULTILABEL),
    "multilabel-odd": tried(data="odd, large and prime digits", model={"width": 9, "dropout": [0.3, 0.0]}, rows=101, **MULTILABEL),
    "regression-odd": tried(optimizer=STEADY, data="diabetes", model={"width": 9, "norm": "batch", "dropout": [0.3, 0.0]}, **REGRESSION),
    "bf16": tried(training=BF16, tolerance=2e-2),
    "bf16-batch-norm": tried(training=BF16, model={"norm": "batch", "dropout": [0.0, 0.3]}, tolerance=5e-2),
    "bf16-layer-norm": tried(training=BF16, model={"norm": "layer", "activation": "gelu", "width": 31}, tolerance=2e-2),
    "cnn": tried(model=CNN),
    "cnn-plain-pooling": tried(model={**CNN, "norm": "none", "pooling": "avg", "activation": "silu"}, optimizer=SGD),
    "cnn-dropout": tried(model={**CNN, "dropout": [0.4, 0.0, 0.2]}, training={"clip_norm": [None, 0.1], "label_smoothing": [0.0, 0.1]}),
    "cnn-residual": tried(
        model={**CNN, "residual": True, "global_pooling": True, "conv_dropout": [0.0, 0.3], "dropout": [0.5, 0.0, 0.2]},
        optimizer=SGD,
        rows=64,
    ),
    "transformer": tried(
        model={**TRANSFORMER, "dropout": [0.0, 0.3], "attention_dropout": [0.0, 0.0, 0.4], "pooling": "class"}, optimizer=SGD, rows=64
    ),
    "cnn-bf16": tried(model=CNN, training=BF16, tolerance=5e-2),
    "cnn-bf16-no-norm": tried(model={**CNN, "norm": "none", "dropout": 0.2}, training=BF16, tolerance=5e-2),
}

THOROUGH = (
    "adamw", "momentum", "lion", "schedules-by-epoch", "clipping-by-value", "mixing", "dropout-odd", "batch-norm-dropout",
    "batch-norm-two-rows-over", "layer-norm-dropout", "width-1", "width-33-batch-7", "batch-1", "accumulate", "multilabel-odd",
    "regression-odd", "bf16-batch-norm", "cnn-dropout", "transformer",
)  # fmt: skip
"""On these everything is tried, on the others the two strongest properties: each kind of kernel, loss, state and size is among them."""


@functools.cache
def whole(source: str) -> Dataset:
    """A data set with all its rows."""
    if source == "odd, large and prime digits":
        data = whole("digits")
        parts = {part: Part(rows.x, labels_of(rows.y)) for part, rows in (("train", data.train), ("val", data.val), ("test", data.test))}
        return replace(data, task="multilabel", outputs=3, **parts)
    return prepare(Data(source=source), "regression" if source == "diabetes" else "classification")


def labels_of(digits: np.ndarray) -> np.ndarray:
    """Whether each digit is odd, above four, and prime: float32 [n, 3]."""
    return np.stack([digits % 2 == 1, digits > 4, np.isin(digits, (2, 3, 5, 7))], 1).astype(np.float32)


def small(technique: Technique) -> Dataset:
    """The technique's data."""
    return cut(whole(technique.data), technique.rows, 61)


def trial_of(technique: Technique, make_trial: Any, number: int) -> Trial:
    """The technique's trial of this number."""
    parts = dict(technique.parts)
    common = COMMON if parts.get("optimizer", {}).get("name", "adamw") == "adamw" else {**COMMON, "optimizer": {}}
    if parts.get("model", {}).get("family", "mlp") != "mlp":
        common = {**common, "model": {}}
    tree = {section: {**common.get(section, {}), **values} if isinstance(values, dict) else values for section, values in parts.items()}
    tree = {**common, **tree}
    tree["training"] = {**tree["training"], "engine": "stacked"}
    found: Trial = make_trial(number, seed=100 + number, **in_lane(tree, number))
    return found


def in_lane(tree: Any, number: int) -> Any:
    """The tree with one value of each list."""
    if isinstance(tree, dict):
        return {name: in_lane(value, number) for name, value in tree.items()}
    return tree[number % len(tree)] if isinstance(tree, list) else tree
