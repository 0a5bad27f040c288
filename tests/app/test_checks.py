"""What only shows when a space meets its data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweeper.app.checks import prepared
from sweeper.config.space import Space
from sweeper.errors import InputError

WARM = """name: a
training: {epochs: 5, batch_size: {choice: [64, 128]}}
search: {grace_epochs: 2}
schedule: {name: warmup_linear, warmup_steps: STEPS}
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


def test_streamed_data_is_for_one_process(tmp_path: Path) -> None:
    """It is told before anything is started, at its place."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 4)))
    np.save(tmp_path / "y.npy", np.arange(60) % 2)
    file = tmp_path / "s.yaml"
    file.write_text(
        f"name: a\ndata: {{source: {tmp_path}/x.npy, stream: true}}\ntraining: {{batch_size: 16}}\nresources: {{processes: 2}}\n"
    )
    with pytest.raises(InputError) as caught:
        prepared(Space.load(file))
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (4, "resources.processes")
    assert "2 processes per trial, and the data is streamed" in problem.found
