"""The problems on which the range test is judged, in a part for tuning and a part that is looked at once, when the rules are done.

A problem is a config of ours, or a noisy quadratic, with one optimizer. What is held out differs in data, architecture and batch size from
all that is tuned on, not in the seed alone. The problems of ``FORMER`` were held out, the first 21 and then the other 28, each fixed before
the rules were tuned that were tried on them; they were looked at on 2026-11-27, and have been for tuning since. Those of ``HELD_OUT`` were
fixed then, as candidates: the ones whose grid is too noisy to measure a regret by are not admitted (``regret.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.ranges.quadratic import Quadratic

OPTIMIZERS: Mapping[str, Mapping[str, Any]] = {
    "sgd": {"name": "sgd", "momentum": 0.0},
    "momentum": {"name": "sgd", "momentum": 0.9},
    "adam": {"name": "adam"},
    "adamw": {"name": "adamw"},
    "lion": {"name": "lion"},
    "nesterov": {"name": "sgd", "momentum": 0.9, "nesterov": True},
    "rmsprop": {"name": "rmsprop"},
    "muon": {"name": "muon"},
}
"""By the name in the tables; what is not said is the schema's default."""


@dataclass(frozen=True)
class Problem:
    """What is trained.

    Attributes:
        name: ``task/optimizer``.
        held_out: not looked at while a rule is chosen.
        optimizer: the config's section, without a learning rate.
        task: the rest of the config, or a quadratic.
    """

    name: str
    held_out: bool
    optimizer: Mapping[str, Any]
    task: Mapping[str, Any] | Quadratic


def network(model: Mapping[str, Any], batch: int, *, source: str = "digits", clip: float | None = None, **data: Any) -> dict[str, Any]:
    """A config without an optimizer: training at a constant learning rate, unclipped unless ``clip`` says otherwise."""
    return {
        "name": "range",
        "task": "regression" if source in REGRESSION else "classification",
        "data": {"source": source, **data},
        "model": model,
        "schedule": {"name": "constant"},
        "training": {"batch_size": batch, "clip_norm": clip, "precision": "fp32", "monitor": False},
    }


TABLE, SPIRALS = "benchmarks.quality.tasks:table", "benchmarks.quality.tasks:spirals"
FRIEDMAN, CIRCUIT, SPARSE = (f"benchmarks.ranges.tables:{name}" for name in ("friedman", "friedman2", "sparse"))
BLOBS, MOONS, SHELLS, BOARD = (f"benchmarks.ranges.tables:{name}" for name in ("blobs", "moons", "shells", "board"))
REGRESSION = ("diabetes", FRIEDMAN, CIRCUIT, SPARSE)

SERIES = {"rows": 600, "length": 24, "features": 2, "noise": 1.0}
TEXT: Mapping[str, Any] = {"params": {"rows": 1200}, "tokens": {"level": "word", "vocabulary": 1000, "length": 24}}

TUNED: Sequence[tuple[str, Mapping[str, Any] | Quadratic, Sequence[str]]] = (
    ("softmax digits", network({"family": "mlp", "depth": 0}, 64), ("sgd", "momentum", "adam", "lion")),
    ("mlp 2x128", network({"family": "mlp", "width": 128, "depth": 2}, 64), ("sgd", "momentum", "adamw", "lion")),
    (
        "mlp 4x64 batch gelu",
        network({"family": "mlp", "width": 64, "depth": 4, "norm": "batch", "activation": "gelu"}, 32, clip=1.0),
        ("momentum", "adamw"),
    ),
    (
        "mlp 6x32 layer silu",
        network({"family": "mlp", "width": 32, "depth": 6, "norm": "layer", "activation": "silu"}, 32),
        ("adam", "lion"),
    ),
    (
        "mlp 1x32 tanh cancer",
        network({"family": "mlp", "width": 32, "depth": 1, "activation": "tanh"}, 32, source="breast_cancer"),
        ("sgd", "adamw"),
    ),
    (
        "cnn 8 batch",
        network({"family": "cnn", "channels": 8, "depth": 2, "hidden": 32}, 32),
        ("momentum", "adamw", "lion"),
    ),
    (
        "transformer digits",
        network({"family": "transformer", "width": 32, "depth": 2, "patch": 4, "heads": 2}, 32, clip=1.0),
        ("momentum", "adamw"),
    ),
    ("gru digits", network({"family": "rnn", "width": 32, "hidden": 32}, 32, clip=1.0), ("momentum", "adamw")),
    ("diabetes 2x32", network({"family": "mlp", "width": 32, "depth": 2}, 32, source="diabetes"), ("momentum", "adamw")),
    ("quadratic 100", Quadratic(dimensions=50, condition=100.0, noise=0.1, batch=16), ("sgd", "momentum", "adam", "lion")),
)

LONG_SERIES = {"rows": 800, "length": 40, "features": 3, "noise": 0.5}
CHARACTERS: Mapping[str, Any] = {"params": {"rows": 800}, "tokens": {"level": "char", "vocabulary": 64, "length": 32}}

FORMER: Sequence[tuple[str, Mapping[str, Any] | Quadratic, Sequence[str]]] = (
    ("softmax wine", network({"family": "mlp", "depth": 0}, 16, source="wine"), ("momentum", "adamw")),
    (
        "mlp 3x64 layer cancer",
        network({"family": "mlp", "width": 64, "depth": 3, "norm": "layer", "dropout": 0.2}, 64, source="breast_cancer", clip=1.0),
        ("sgd", "adam", "lion"),
    ),
    (
        "mlp 2x256 sigmoid",
        network({"family": "mlp", "width": 256, "depth": 2, "activation": "sigmoid"}, 128),
        ("momentum", "adamw"),
    ),
    ("mlp 5x48 tanh", network({"family": "mlp", "width": 48, "depth": 5, "activation": "tanh"}, 16), ("momentum", "adam")),
    (
        "cnn 8 residual",
        network({"family": "cnn", "channels": 8, "depth": 2, "residual": True, "norm": "none", "hidden": 32}, 64),
        ("sgd", "adamw"),
    ),
    (
        "lstm series",
        network(
            {"family": "rnn", "cell": "lstm", "width": 16, "pooling": "mean", "hidden": 16}, 32, source="synthetic_series", params=SERIES
        ),
        ("adamw", "lion"),
    ),
    (
        "transformer text",
        network({"family": "transformer", "width": 32, "depth": 1, "heads": 2}, 32, source="synthetic_text", **TEXT),
        ("adam", "adamw"),
    ),
    ("diabetes linear", network({"family": "mlp", "depth": 0}, 64, source="diabetes"), ("sgd", "adamw")),
    ("diabetes 1x64 layer", network({"family": "mlp", "width": 64, "depth": 1, "norm": "layer"}, 16, source="diabetes"), ("lion",)),
    ("quadratic 1000", Quadratic(dimensions=20, condition=1000.0, noise=0.3, batch=4), ("momentum", "adamw", "lion")),
    ("softmax table", network({"family": "mlp", "depth": 0}, 100, source=TABLE), ("sgd", "rmsprop")),
    (
        "mlp 3x48 selu spirals",
        network({"family": "mlp", "width": 48, "depth": 3, "activation": "selu"}, 50, source=SPIRALS),
        ("nesterov", "adamw"),
    ),
    (
        "mlp 3x96 sigmoid table",
        network({"family": "mlp", "width": 96, "depth": 3, "activation": "sigmoid"}, 48, source=TABLE),
        ("adam", "rmsprop"),
    ),
    (
        "mlp 8x24 tanh wine",
        network({"family": "mlp", "width": 24, "depth": 8, "activation": "tanh"}, 24, source="wine"),
        ("momentum", "lion"),
    ),
    (
        "mlp 4x80 elu batch",
        network({"family": "mlp", "width": 80, "depth": 4, "norm": "batch", "activation": "elu"}, 96),
        ("muon", "nesterov", "sgd"),
    ),
    (
        "cnn 6 global average",
        network({"family": "cnn", "channels": 6, "depth": 3, "norm": "none", "pooling": "avg", "global_pooling": True, "hidden": 24}, 40),
        ("momentum", "adam"),
    ),
    (
        "gru characters",
        network({"family": "rnn", "width": 16, "pooling": "mean", "hidden": 16}, 80, source="synthetic_text", **CHARACTERS),
        ("adamw", "rmsprop"),
    ),
    (
        "lstm digits",
        network({"family": "rnn", "cell": "lstm", "width": 24, "hidden": 24}, 56, clip=1.0),
        ("nesterov", "adam"),
    ),
    (
        "transformer series",
        network(
            {"family": "transformer", "width": 16, "depth": 2, "heads": 4, "pooling": "class"},
            24,
            source="synthetic_series",
            params=LONG_SERIES,
        ),
        ("adamw", "lion", "muon"),
    ),
    ("friedman 2x48 gelu", network({"family": "mlp", "width": 48, "depth": 2, "activation": "gelu"}, 40, source=FRIEDMAN), ("sgd", "adam")),
    (
        "friedman 5x20 layer",
        network({"family": "mlp", "width": 20, "depth": 5, "norm": "layer", "activation": "leaky_relu"}, 20, source=FRIEDMAN),
        ("muon", "lion"),
    ),
    ("quadratic 10", Quadratic(dimensions=30, condition=10.0, noise=0.5, batch=8), ("nesterov", "adamw")),
    ("quadratic 10000", Quadratic(dimensions=40, condition=10000.0, noise=0.05, batch=32), ("momentum", "rmsprop")),
)

NEW_SERIES = {"rows": 500, "length": 16, "features": 1, "noise": 0.4, "seed": 1}
WORDS: Mapping[str, Any] = {"params": {"rows": 600, "seed": 1}, "tokens": {"level": "word", "vocabulary": 200, "length": 12}}

HELD_OUT: Sequence[tuple[str, Mapping[str, Any] | Quadratic, Sequence[str]]] = (
    ("softmax blobs", network({"family": "mlp", "depth": 0}, 36, source=BLOBS), ("nesterov", "lion")),
    ("mlp 1x64 blobs", network({"family": "mlp", "width": 64, "depth": 1}, 60, source=BLOBS), ("adam", "muon")),
    (
        "mlp 2x36 tanh moons",
        network({"family": "mlp", "width": 36, "depth": 2, "activation": "tanh"}, 80, source=MOONS, clip=1.0),
        ("momentum", "adamw"),
    ),
    ("mlp 3x40 shells", network({"family": "mlp", "width": 40, "depth": 3}, 150, source=SHELLS), ("sgd", "rmsprop")),
    (
        "mlp 4x56 batch silu shells",
        network({"family": "mlp", "width": 56, "depth": 4, "norm": "batch", "activation": "silu"}, 120, source=SHELLS),
        ("adamw", "nesterov"),
    ),
    (
        "mlp 7x28 layer gelu blobs",
        network({"family": "mlp", "width": 28, "depth": 7, "norm": "layer", "activation": "gelu"}, 72, source=BLOBS),
        ("lion", "momentum"),
    ),
    (
        "mlp 4x20 sigmoid blobs",
        network({"family": "mlp", "width": 20, "depth": 4, "activation": "sigmoid"}, 90, source=BLOBS),
        ("adamw", "lion"),
    ),
    (
        "mlp 3x160 sigmoid digits",
        network({"family": "mlp", "width": 160, "depth": 3, "activation": "sigmoid"}, 200),
        ("adam", "momentum"),
    ),
    ("mlp 3x32 elu board", network({"family": "mlp", "width": 32, "depth": 3, "activation": "elu"}, 28, source=BOARD), ("adamw", "muon")),
    ("linear sparse", network({"family": "mlp", "depth": 0}, 44, source=SPARSE), ("sgd", "adam")),
    (
        "sparse 2x64 silu",
        network({"family": "mlp", "width": 64, "depth": 2, "activation": "silu"}, 50, source=SPARSE),
        ("rmsprop", "muon"),
    ),
    (
        "circuit 4x32 batch",
        network({"family": "mlp", "width": 32, "depth": 4, "norm": "batch"}, 52, source=CIRCUIT),
        ("nesterov", "adam"),
    ),
    ("circuit 1x100 tanh", network({"family": "mlp", "width": 100, "depth": 1, "activation": "tanh"}, 30, source=CIRCUIT), ("sgd", "lion")),
    ("quadratic 30", Quadratic(dimensions=10, condition=30.0, noise=0.2, batch=2), ("sgd", "rmsprop")),
    ("quadratic 300", Quadratic(dimensions=80, condition=300.0, noise=0.5, batch=64), ("adam", "momentum")),
    ("quadratic 3", Quadratic(dimensions=16, condition=3.0, noise=1.0, batch=6), ("lion",)),
    (
        "cnn 4 leaky",
        network({"family": "cnn", "channels": 4, "depth": 1, "norm": "none", "hidden": 20, "activation": "leaky_relu"}, 112),
        ("nesterov", "rmsprop"),
    ),
    (
        "cnn 6 average batch",
        network({"family": "cnn", "channels": 6, "depth": 1, "pooling": "avg", "hidden": 16}, 48, clip=1.0),
        ("muon",),
    ),
    (
        "gru series",
        network({"family": "rnn", "width": 8, "hidden": 8, "pooling": "mean"}, 40, source="synthetic_series", params=NEW_SERIES),
        ("adam",),
    ),
    (
        "lstm words",
        network({"family": "rnn", "cell": "lstm", "width": 8, "hidden": 8}, 48, source="synthetic_text", **WORDS),
        ("adamw",),
    ),
    (
        "transformer waves",
        network(
            {"family": "transformer", "width": 8, "depth": 1, "heads": 2, "pooling": "class"},
            16,
            source="synthetic_series",
            params=NEW_SERIES,
        ),
        ("adamw", "lion"),
    ),
    (
        "transformer words",
        network({"family": "transformer", "width": 8, "depth": 1, "heads": 1}, 20, source="synthetic_text", **WORDS),
        ("lion",),
    ),
)


def problems() -> Iterator[Problem]:
    """All of them, those for tuning first."""
    for held_out, tasks in ((False, TUNED), (False, FORMER), (True, HELD_OUT)):
        for name, task, optimizers in tasks:
            for optimizer in optimizers:
                yield Problem(f"{name}/{optimizer}", held_out, OPTIMIZERS[optimizer], task)
