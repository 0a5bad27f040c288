"""What only shows when a space meets its data."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sweeper.app.checks import prepared
from sweeper.config.space import Space
from sweeper.errors import InputError

WARM = """name: a
training: {epochs: 5, batch_size: {choice: [64, 128]}}
search: {grace_epochs: 2}
schedule: {name: warmup_linear, warmup_steps: STEPS}
"""
MADE_ONCE = """
from torch import nn

MODEL = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

def build(input_shape, outputs):
    return MODEL
"""


def warm(folder: Path, steps: int) -> Space:
    """Digits' training part has 1,079 rows: 5 epochs of 9 batches at the largest batch that is searched."""
    file = folder / "warm.yaml"
    file.write_text(WARM.replace("STEPS", str(steps)))
    return Space.load(file)


def test_a_warm_up_in_steps_ends_before_training_does(tmp_path: Path) -> None:
    """One step less than the shortest training is fine, as many are refused at their place in the file."""
    assert len(prepared(warm(tmp_path, 44)).train) == 1079
    with pytest.raises(InputError) as caught:
        prepared(warm(tmp_path, 45))
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (4, "schedule.warmup_steps")
    assert "45 steps, and training has 45" in problem.found


def test_a_model_that_is_made_once_is_told_before_the_first_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing of the model is searched, so that one config shows all of it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "made_once.py").write_text(MADE_ONCE)
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nmodel: {family: custom, path: made_once:build}\n")
    with pytest.raises(InputError) as caught:
        prepared(Space.load(file))
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (2, "model.path")
    assert "made_once:build gives a model with weights of one that it gave before" in problem.found
