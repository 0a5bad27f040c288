"""Changes of token rows ``[n, length]`` (int64; 0 pads the end; after Wei & Zou, 2019); none writes into its input."""

from __future__ import annotations

import torch
from torch.nn import functional

from sweeper.core.augment.draws import Draws, Use
from sweeper.data.text import PADDING, UNKNOWN


def delete(x: torch.Tensor, p: float, draws: Draws) -> torch.Tensor:
    """Leaves out each token with probability ``p``; those that stay close up, and a row keeps its first token if nothing else."""
    kept = (x != PADDING) & (draws.uniform(Use.TOKEN_DELETE, *x.shape) >= p)
    kept[:, 0] |= ~kept.any(1)
    order = torch.argsort((~kept).to(torch.uint8), dim=1, stable=True)
    return (x * kept).gather(1, order)


def insert(x: torch.Tensor, p: float, draws: Draws) -> torch.Tensor:
    """Puts a random token of the same row in after each token with probability ``p``; what no longer fits falls off the end."""
    n, length = x.shape
    u = draws.uniform(Use.TOKEN_INSERT, n, length, 2)
    real = x != PADDING
    added = real & (u[..., 0] < p)
    place = torch.arange(length, device=x.device) + added.cumsum(1) - added.long()
    donor = (u[..., 1] * real.sum(1, keepdim=True)).long().clamp(max=length - 1)
    out = x.new_zeros(n, 2 * length)
    out.scatter_(1, place, x)
    out = functional.pad(out, (0, 1))
    # Where nothing is added, the write goes to a column that is cut off.
    out.scatter_(1, torch.where(added, place + 1, 2 * length), x.gather(1, donor))
    return out[:, :length].contiguous()


def swap(x: torch.Tensor, p: float, draws: Draws) -> torch.Tensor:
    """Picks each token with probability ``p``; those that are picked change places among each other at random."""
    u = draws.uniform(Use.TOKEN_SWAP, *x.shape, 2)
    picked = (x != PADDING) & (u[..., 0] < p)
    columns = torch.arange(x.shape[1], device=x.device).expand_as(x)
    # The picked places first, once in their order and once in a random one.
    places = torch.argsort(torch.where(picked, columns, columns + x.shape[1]), dim=1)
    givers = torch.argsort(torch.where(picked, u[..., 1], 1.0 + columns), dim=1)
    moving = columns < picked.sum(1, keepdim=True)
    tokens = torch.where(moving, x.gather(1, givers), x.gather(1, places))
    return x.scatter(1, places, tokens)


def synonym(x: torch.Tensor, p: float, table: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Puts one of its synonyms, any with the same probability, in the place of each token that has some, with probability ``p``.

    Args:
        x: the rows.
        p: how often.
        table: see ``Resident.synonyms``.
        draws: of the trial and epoch.
    """
    u = draws.uniform(Use.TOKEN_SYNONYM, *x.shape, 2)
    number = table[:, 0][x]
    picked = (number > 0) & (u[..., 0] < p)
    chosen = 1 + (u[..., 1] * number).long().minimum((number - 1).clamp(min=0))
    return torch.where(picked, table[x, chosen.clamp(max=table.shape[1] - 1)], x)


def mask(x: torch.Tensor, p: float, draws: Draws) -> torch.Tensor:
    """Makes each token the unknown one with probability ``p``."""
    hidden = (x != PADDING) & (draws.uniform(Use.TOKEN_MASK, *x.shape) < p)
    return x.masked_fill(hidden, UNKNOWN)
