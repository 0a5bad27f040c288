"""A process's share of rows and noise; no process is started."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
import torch

from sweeper.core.batches import Plan, Rows
from sweeper.core.dropout import Noise
from sweeper.core.parallel.share import SharedNoise, plan_of, rows_of
from sweeper.core.parallel.team import Team

CPU = torch.device("cpu")


def teams(size: int) -> list[Team]:
    """Every process's view."""
    return [Team(rank, size, CPU) for rank in range(size)]


@pytest.mark.parametrize(("used", "accumulate"), [(64, 1), (30, 1), (31, 1), (30, 3), (44, 2)])
@pytest.mark.parametrize("size", [2, 4])
def test_the_shares_of_every_batch_are_the_batch(used: int, accumulate: int, size: int) -> None:
    """Each row has one owner, each process as many batches as the whole, and the weighed means of their losses are that of the step."""
    plan = Plan(used, used, 8, -(-used // (8 * accumulate)), accumulate)
    chunk = Rows(torch.arange(float(used)).unsqueeze(1), torch.arange(float(used)))
    shares = [list(rows_of(chunk, plan, team)) for team in teams(size)]
    plans = [plan_of(plan, team) for team in teams(size)]
    assert [sum(map(len, share)) for share in shares] == [plan.used for plan in plans]
    steps = [[step for piece in share for step in piece.split(own.step_rows)] for share, own in zip(shares, plans, strict=True)]
    assert {len(one) for one in steps} == {plan.steps}
    for step, whole in zip(zip(*steps, strict=True), chunk.split(plan.step_rows), strict=True):
        batches = zip(*([batch.y.tolist() for batch in one.split(8 // size)] for one in step), strict=True)
        assert [sorted(chain(*batch)) for batch in batches] == [batch.y.tolist() for batch in whole.split(8)]
        means = [(one.y * (1.0 if one.weight is None else one.weight)).mean() for one in step]
        torch.testing.assert_close(torch.stack(means).mean(), whole.y.mean())


def test_weights_and_second_targets_go_with_their_rows() -> None:
    """What mixup adds to a row stays with it."""
    rows = torch.arange(8.0)
    chunk = Rows(rows.unsqueeze(1), rows, rows + 10, rows + 20, rows + 30)
    (mine,) = rows_of(chunk, Plan(8, 8, 4, 2), Team(1, 2, CPU))
    parts: list[Any] = [mine.x.squeeze(1), mine.y, mine.weight, mine.other, mine.other_weight]
    assert [part.tolist() for part in parts] == [[n + 2.0, n + 3.0, n + 6.0, n + 7.0] for n in (0, 0, 10, 20, 30)]


@pytest.mark.parametrize("rows", [8, 7])
def test_the_processes_together_drop_what_one_would(rows: int) -> None:
    """Two layers of different width, two batches."""
    whole, shared = Noise(3, 1, CPU), [SharedNoise(3, 1, CPU, team) for team in teams(2)]
    for _ in range(2):
        for width in (5, 3):
            expected = whole.draw(rows * width)
            found = []
            for noise in shared:
                mine = Team(len(found), 2, CPU).part(rows)
                noise.batch(rows)
                found.append(noise.draw((mine.stop - mine.start) * width))
            assert torch.equal(torch.cat(found), expected)
