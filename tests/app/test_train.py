"""What a production job tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeper.app import train
from sweeper.app.train import cause_of
from sweeper.config.files import config_from_tree
from sweeper.core.diagnose import Tag

OWN = {"family": "custom", "path": "my_nets:build"}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"provenance": {"data_hash": "that of other rows"}, "model": OWN}, "the data is not what the sweep had"),
        ({"provenance": {"data_hash": "these"}}, "a GPU, another machine, other versions"),
        ({"model": OWN}, "edited code, a GPU"),
    ],
    ids=["data", "machine", "code"],
)
def test_a_value_that_does_not_come_out_again_has_a_cause(tree: dict[str, Any], words: str) -> None:
    """The likeliest first."""
    assert cause_of(config_from_tree({"name": "own", **tree}), "these").startswith(words)


def test_a_job_is_judged_by_the_baseline_like_a_trial(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where labels are mostly noise, a job that reaches the linear model's high loss is healthy, as its trial was."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    pd.DataFrame({"a": a, "y": rng.random(400) < 1 / (1 + np.exp(-a))}).to_csv(home / "noisy.csv", index=False)
    (home / "one.yaml").write_text(
        "name: one\ndata: {source: noisy.csv, target: y}\nmodel: {family: mlp, depth: 0}\n"
        "optimizer: {name: adamw, lr: 0.1}\ntraining: {epochs: 8}\n"
    )
    monkeypatch.setattr(train, "_record", lambda *_: None)
    monkeypatch.setattr(train.insight, "draw", lambda *_: [])
    job = train.run(Path("one.yaml"), (), None, quiet=True)
    assert job.result.metrics["val_loss"] > 0.5
    assert job.diagnosis is not None
    assert job.diagnosis.tag is Tag.HEALTHY
