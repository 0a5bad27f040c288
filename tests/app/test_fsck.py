"""What fsck asks of a winner that was trained beside others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.core import checkpoint

from .driving import TINY, ledger_of, sweeper, violations, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_winner_that_was_trained_in_a_lane_is_right_to_a_tolerance(home: Path) -> None:
    """The exported model's kernels add up in another order than the lane's did; a model with other weights is still noticed."""
    space = write(home, TINY.replace("batch_size: 128", "batch_size: 128, engine: stacked"))
    done = sweeper("sweep", space, "--runner", "local", "--json")
    assert done.returncode == 0, done.stderr
    best = ledger_of(home).best("tiny")
    assert best is not None
    assert (best.how or "").startswith("stacked: ")
    folder = home / "runs" / "tiny" / "model"
    exported = checkpoint.load(folder)
    for factor, invariants in ((1.0, []), (1 + 1e-5, []), (1.01, ["I7"])):
        state = {name: tensor * factor for name, tensor in exported.state.items()}
        checkpoint.write_into(folder, replace(exported, state=state))
        found = violations()
        assert [invariant for invariant, _ in found] == invariants
    assert "the exported model gives" in found[0][1]
