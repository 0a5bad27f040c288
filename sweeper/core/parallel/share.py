"""A process's share of every batch: which rows, what they weigh, and what of the trial's noise is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from sweeper.core.batches import Plan, Rows, Source, chunks_of
from sweeper.core.dropout import Noise
from sweeper.core.parallel.team import Team


def plan_of(plan: Plan, team: Team) -> Plan:
    """How this process's share of an epoch is cut; as many batches and steps as the whole, each smaller."""
    full, left = divmod(plan.used, plan.batch_size)
    size, mine = plan.batch_size // team.size, team.part(left)
    return replace(plan, used=full * size + mine.stop - mine.start, batch_size=size)


def shares_of(rows: int, plan: Plan, team: Team) -> Iterator[tuple[torch.Tensor, float]]:
    """Which of some whole steps' rows are this process's, and what they weigh: the mean of all losses is that of the whole steps then.

    A process's loss is the mean over its own rows. Where they are as many as every other's, that is all; where the last batch of an epoch
    cannot be shared evenly, the last step comes by itself, with a weight.

    Args:
        rows: of whole steps in the epoch's order, of which the last may be shorter.
        plan: of the whole epoch.
        team: whose share of each batch.

    Yields:
        Places among the rows, int64 on the CPU, and the weight of each row.
    """
    places = _places(rows, plan.batch_size, team)
    last = rows % plan.step_rows
    own = _places(last, plan.batch_size, team).numel()
    if last and own * team.size != last:
        if len(places) > own:
            yield places[:-own], 1.0
        yield places[-own:], own * team.size / last
    else:
        yield places, 1.0


def rows_of(chunk: Rows, plan: Plan, team: Team) -> Iterator[Rows]:
    """This process's rows of a chunk of whole steps, weighed (see ``shares_of``)."""
    for places, weight in shares_of(len(chunk), plan, team):
        yield _weighed(_picked(chunk, places.to(chunk.y.device)), weight)


def own_in_order(part: Source, plan: Plan, team: Team, seed: int, epoch: int) -> Iterator[Rows]:
    """``rows_of`` of the chunks of ``batches.in_order``, of which no other rows are gathered, or read."""
    shares = [
        (numbers[places.to(numbers.device)], weight)
        for numbers in chunks_of(part, plan, seed, epoch)
        for places, weight in shares_of(len(numbers), plan, team)
    ]
    for rows, (_, weight) in zip(part.gathered([numbers for numbers, _ in shares]), shares, strict=True):
        yield _weighed(rows, weight)


def _weighed(rows: Rows, weight: float) -> Rows:
    return rows if weight == 1.0 else rows.scaled(weight)


def _places(n: int, batch_size: int, team: Team) -> torch.Tensor:
    """Which of ``n`` rows in batches are this process's."""
    full = n // batch_size
    size = batch_size // team.size
    begins = torch.arange(full) * batch_size + team.rank * size
    left = team.part(n % batch_size)
    rest = torch.arange(left.start, left.stop) + full * batch_size
    return torch.cat([(begins.unsqueeze(1) + torch.arange(size)).view(-1), rest])


def _picked(rows: Rows, places: torch.Tensor) -> Rows:
    """Some of the rows, with all that belongs to them."""
    parts = (rows.x, rows.y, rows.weight, rows.other, rows.other_weight)
    return Rows(*(None if part is None else part.index_select(0, places) for part in parts))  # type: ignore[arg-type]


class SharedNoise(Noise):
    """The random bits of one trial in one epoch, of which a process gets those of its rows: together the processes drop what one would.

    Args:
        seed: the trial's.
        epoch: 1-based.
        device: where the bits are wanted.
        team: whose share.
    """

    def __init__(self, seed: int, epoch: int, device: torch.device, team: Team) -> None:
        super().__init__(seed, epoch, device)
        self._team = team
        self._rows = team.size

    def batch(self, rows: int) -> None:
        """What is drawn from now on is for a whole batch of so many rows."""
        self._rows = rows

    def draw(self, n: int) -> torch.Tensor:
        """See ``Noise.draw``; ``n`` is for this process's share of the batch."""
        mine = self._team.part(self._rows)
        per_row = n // (mine.stop - mine.start)
        return super().draw(per_row * self._rows)[mine.start * per_row : mine.stop * per_row]
