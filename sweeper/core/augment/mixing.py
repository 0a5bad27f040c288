"""Mixup and CutMix: two rows become one, and so do their losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sweeper.core.augment.draws import Draws, Use
from sweeper.core.augment.images import box


@dataclass(frozen=True)
class Mixed:
    """Rows of which each was blended with another one of its batch.

    The training loss of a row is ``share * loss(y) + (1 - share) * loss(other)``.

    Attributes:
        x: [n, ...].
        y: [n, ...], targets of the larger share.
        other: [n, ...], targets of the smaller share.
        share: [n], float32, 0.5 to 1.
    """

    x: torch.Tensor
    y: torch.Tensor
    other: torch.Tensor
    share: torch.Tensor


def mix(x: torch.Tensor, y: torch.Tensor, batch_size: int, *, mixup: float, cutmix: float, draws: Draws) -> Mixed:
    """Blends each row with the next one of its batch (their order is random), the last with the first.

    All rows of a batch have the same share, drawn from Beta(alpha, alpha); where both are switched on, a batch takes one of them, each
    as likely as the other.

    Args:
        x: [n, ...], whole batches in the epoch's order, of which the last may be shorter; it is not written into.
        y: [n] or [n, labels].
        batch_size: rows of a batch.
        mixup: alpha (Zhang et al., 2018); 0: off.
        cutmix: alpha (Yun et al., 2019), for images; 0: off.
        draws: of the trial and epoch.
    """
    n = len(x)
    batches = -(-n // batch_size)
    row = torch.arange(n, device=x.device)
    batch = row // batch_size
    last = (row + 1 == n) | (row % batch_size == batch_size - 1)
    partner = torch.where(last, batch * batch_size, row + 1)
    pastes = draws.host(Use.MIX).random(batches) < (0.5 if mixup and cutmix else float(cutmix > 0))
    alphas = np.where(pastes, cutmix, mixup)
    kept = draws.host(Use.SHARE).beta(alphas, alphas).astype(np.float32)
    share = torch.from_numpy(kept).to(x.device)[batch]
    blended = x
    if mixup:
        # A pasted batch is not blended.
        blended = torch.lerp(x[partner], x, torch.where(_of(pastes, batch), 1.0, share).view(-1, *[1] * (x.ndim - 1)))
    if cutmix:
        inside = _boxes(kept, pastes, (x.shape[2], x.shape[3]), draws).to(x.device)
        blended = torch.where(inside[batch].unsqueeze(1), x[partner], blended)
        pasted = inside.float().mean((1, 2))[batch]
        share = torch.where(_of(pastes, batch), 1.0 - pasted, share)
    larger = share >= 0.5
    first = larger.view(-1, *[1] * (y.ndim - 1))
    return Mixed(blended, torch.where(first, y, y[partner]), torch.where(first, y[partner], y), torch.where(larger, share, 1.0 - share))


def _of(pastes: np.ndarray, batch: torch.Tensor) -> torch.Tensor:
    """Whether each row's batch is one that is pasted into."""
    return torch.from_numpy(pastes).to(batch.device)[batch]


def _boxes(kept: np.ndarray, pastes: np.ndarray, size: tuple[int, int], draws: Draws) -> torch.Tensor:
    """The rectangle of each batch, booleans [batches, height, width]: its centre anywhere, so that a part may lie outside the image."""
    height, width = size
    side = np.sqrt(1.0 - kept) * pastes
    centre = draws.host(Use.BOX).random((len(kept), 2)) * [height, width]
    high, wide = side * height / 2.0, side * width / 2.0
    edges = np.rint([centre[:, 0] - high, centre[:, 1] - wide, centre[:, 0] + high, centre[:, 1] + wide])
    top, left, bottom, right = torch.from_numpy(edges).unbind()
    return box(top, left, bottom, right, height, width)
