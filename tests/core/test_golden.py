"""Golden losses: a refactor of the core must reproduce the committed curves, and both engines the same ones.

``python tests/core/test_golden.py`` writes them anew, for a change that is meant to move them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.config.files import config_from_tree, tree_of
from sweeper.config.schema import Data
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.trial import Continue, Trial

FOLDER = Path(__file__).parent / "golden"
MODELS: dict[str, dict[str, Any]] = {
    "mlp": {"family": "mlp", "width": 64, "norm": "layer", "activation": "gelu"},
    "mlp-dropout": {"family": "mlp", "width": 64, "dropout": 0.3, "activation": "silu"},
    "cnn": {"family": "cnn", "channels": 8, "hidden": 32},
    "cnn-residual": {
        "family": "cnn",
        "channels": 4,
        "depth": 1,
        "hidden": 16,
        "residual": True,
        "global_pooling": True,
        "conv_dropout": 0.1,
    },
    "rnn": {"family": "rnn", "width": 16, "depth": 2, "hidden": 16, "dropout": 0.2},
    "rnn-lstm": {"family": "rnn", "cell": "lstm", "width": 16, "hidden": 16, "pooling": "mean"},
    "transformer": {"family": "transformer", "width": 16, "heads": 2, "depth": 1, "patch": 4, "pooling": "class"},
}
# Other CPUs add in another order; bf16 rounds to three digits.
TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}


def curve(family: str, precision: str, data: Dataset, engine: str = "plain") -> dict[str, list[float]]:
    """Training and validation loss and gradient norm of five epochs on digits."""
    tree = {"name": "golden", "model": MODELS[family], "training": {"epochs": 5, "precision": precision, "seed": 1, "engine": engine}}
    training = train([Trial(0, 1, {}, tree_of(config_from_tree(tree)), "golden")], data, device="cpu")
    reports = next(training)
    assert (reports[0].how or "").startswith(engine)
    while not reports[-1].ended:
        reports += training.send([Continue("golden")])
    return {name: [r.metrics[name] for r in reports] for name in ("train_loss", "val_loss", "grad_norm")}


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize(("engine", "family"), [*(("plain", family) for family in MODELS), ("stacked", "mlp"), ("stacked", "mlp-dropout")])
def test_the_golden_curve_is_reproduced(digits: Dataset, engine: str, family: str, precision: str) -> None:
    """Five epochs of this family in this precision, to the tolerance that another CPU needs."""
    golden = json.loads((FOLDER / f"{family}-{precision}.json").read_text())
    found = curve(family, precision, digits, engine)
    assert found.keys() == golden.keys()
    for name, values in golden.items():
        assert found[name] == pytest.approx(values, rel=TOLERANCE[precision]), name


def write() -> None:
    """Writes every golden curve."""
    torch.set_num_threads(1)
    digits = prepare(Data(source="digits"), "classification")
    for family in MODELS:
        for precision in TOLERANCE:
            (FOLDER / f"{family}-{precision}.json").write_text(json.dumps(curve(family, precision, digits), indent=1) + "\n")


if __name__ == "__main__":
    write()
