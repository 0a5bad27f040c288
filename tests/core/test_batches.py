"""How an epoch is cut into batches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.config.schema import Config, Mlp, Resources, Training
from sweeper.core import batches
from sweeper.core.batches import Plan, Rows, in_order
from sweeper.errors import InputError


def config(batch_size: int, norm: str = "none", accumulate: int = 1) -> Config:
    """A config with this batch size, norm and number of batches per step."""
    return Config(name="test", model=Mlp(norm=norm), training=Training(batch_size=batch_size, accumulate=accumulate))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_an_epoch_uses_every_row_once(data: st.DataObject) -> None:
    """Whatever the sizes: full batches, one short last one, every row once; as many steps as planned."""
    rows = data.draw(st.integers(1, 200))
    size = data.draw(st.integers(1, rows))
    plan = Plan.of(config(size), rows)
    part = Rows(torch.arange(rows).float().unsqueeze(1), torch.arange(rows))
    cut = [batch for chunk in in_order(part, plan, 3, 1) for batch in chunk.split(size)]
    assert [len(batch) for batch in cut[:-1]] == [size] * (plan.steps - 1)
    assert sorted(torch.cat([batch.y for batch in cut]).tolist()) == list(range(rows))
    assert all(torch.equal(batch.x.squeeze(1).long(), batch.y) for batch in cut)
    assert plan.steps == math.ceil(rows / size)


def test_a_last_batch_of_one_is_left_out_only_under_batch_norm() -> None:
    """65 rows in batches of 64: one step with batch norm, two without."""
    assert Plan.of(config(64, "batch"), 65) == Plan(rows=65, used=64, batch_size=64, steps=1)
    assert Plan.of(config(64, "layer"), 65) == Plan(rows=65, used=65, batch_size=64, steps=2)
    assert Plan.of(config(64, "batch"), 66).steps == 2


def test_a_last_batch_smaller_than_the_team_is_left_out() -> None:
    """Each of four processes has a row of every batch."""
    shared = config(8).model_copy(update={"resources": Resources(processes=4)})
    assert [Plan.of(shared, rows).used for rows in (64, 65, 67, 68, 71)] == [64, 64, 64, 68, 71]


def test_a_batch_larger_than_the_training_part_is_refused() -> None:
    """The sentence names the key, both numbers and full-batch training."""
    with pytest.raises(InputError, match=r"training\.batch_size  64, but the training part has 63 rows  allowed: 1 to 63"):
        Plan.of(config(64), 63)


def test_batch_norm_refuses_batches_of_one() -> None:
    """A single row has no variance."""
    with pytest.raises(InputError, match=r"training\.batch_size  1 with model\.norm: batch"):
        Plan.of(config(1, "batch"), 63)
    assert Plan.of(config(1), 63).steps == 63


def test_steps_are_counted_in_optimizer_steps() -> None:
    """65 rows in batches of 8, four to a step: nine batches make three steps, the last of one row (which batch norm leaves out)."""
    assert Plan.of(config(8, accumulate=4), 65) == Plan(rows=65, used=65, batch_size=8, steps=3, accumulate=4)
    assert Plan.of(config(8, "batch", accumulate=4), 65) == Plan(rows=65, used=64, batch_size=8, steps=2, accumulate=4)


def test_more_batches_per_step_than_an_epoch_has_are_refused() -> None:
    """The sentence names the key and both numbers; as many as there are is full-batch training."""
    with pytest.raises(InputError, match=r"training\.accumulate  9, but an epoch has 8 batches of 8 rows  allowed: 1 to 8"):
        Plan.of(config(8, accumulate=9), 63)
    assert Plan.of(config(8, accumulate=8), 63).steps == 1


def test_chunks_end_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several batches make a step, a chunk holds whole steps."""
    monkeypatch.setattr(batches, "CHUNK_ROWS", 11)
    plan, part = Plan.of(config(2, accumulate=2), 50), Rows(torch.randn(50, 3), torch.arange(50))
    assert [len(piece) for piece in in_order(part, plan, 7, 2)] == [8] * 6 + [2]


def test_chunks_do_not_change_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch gathered in pieces is the epoch gathered at once, and chunks end between batches."""
    plan, part = Plan.of(config(4), 50), Rows(torch.randn(50, 3), torch.arange(50))
    (whole,) = in_order(part, plan, 7, 2)
    monkeypatch.setattr(batches, "CHUNK_ROWS", 11)
    pieces = list(in_order(part, plan, 7, 2))
    assert [len(piece) for piece in pieces] == [8] * 6 + [2]
    assert torch.equal(torch.cat([piece.y for piece in pieces]), whole.y)


def test_every_epoch_and_seed_has_its_own_order() -> None:
    """The order is keyed by seed and epoch."""
    plan, part = Plan.of(config(4), 50), Rows(torch.randn(50, 3), torch.arange(50))
    orders = {tuple(next(in_order(part, plan, seed, epoch)).y.tolist()) for seed in (1, 2) for epoch in (1, 2)}
    assert len(orders) == 4
