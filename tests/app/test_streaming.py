"""A sweep on data that stays in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sweeper as library

from .driving import ledger_of, sweeper, told, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SPACE = """
name: tiny
data: {source: ./big, stream: true, loader_workers: 1}
model: {family: mlp, width: {choice: [8, 16]}}
training: {epochs: 2, batch_size: 64}
search: {trials: 2, pruner: none}
"""


def test_a_streamed_sweep(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials ran plain and say why; from elsewhere, too, the winner's file finds the folder, and gives its value from memory as well."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 12)).astype(np.float32)
    (home / "big").mkdir()
    np.save(home / "big" / "x.npy", x)
    np.save(home / "big" / "y.npy", (x[:, :3].sum(1) > 0).astype(int))
    done = sweeper("sweep", write(home, SPACE), "--runner", "local", "--json")
    assert done.returncode == 0, done.stderr
    (how,) = {(trial.how or "").partition(";")[0] for trial in ledger_of(home).trials("tiny")}
    assert how.startswith("plain: the inputs are streamed")
    config = library.load_config(home / "runs" / "tiny" / "best.yaml")
    assert (config.data.source, config.data.folder) == ("./big", str(home))
    monkeypatch.chdir(home / "runs")
    held = config.model_copy(update={"data": config.data.model_copy(update={"stream": False, "loader_workers": 0})})
    for one in (config, held):
        assert library.train(one).metrics["val_loss"] == told(done)["winner"]["value"]
