"""What fsck asks of a winner that was trained beside others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from sweeper.core import checkpoint
from sweeper.ledger.tables import range_test

from .driving import TINY, ledger_of, sweeper, violations, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_winner_that_was_trained_in_a_lane_is_right_to_a_tolerance(home: Path) -> None:
    """The exported model adds up in another order than the lane did; other weights are noticed, as is a range test that is gone."""
    text = TINY.replace("batch_size: 128", "batch_size: 128, engine: stacked").replace("lr: {log: [1e-4, 1e-1]}", "lr: auto")
    space = write(home, text)
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
    checkpoint.write_into(folder, exported)
    with ledger_of(home).database.write() as connection:
        connection.execute(sa.delete(range_test))
    found = violations()
    assert {invariant for invariant, _ in found} == {"I3"}
    assert "which is not on record" in found[0][1]
