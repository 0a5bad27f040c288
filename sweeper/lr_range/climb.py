"""A run of steps, each at the learning rate of its rung, until they are taken or nothing more is to be learnt from them."""

from __future__ import annotations

import math

import numpy as np

from sweeper.lr_range.judge import START, Floats
from sweeper.lr_range.rungs import Rungs

SKIPS = 20
"""Steps that fp16 may skip in a row: enough for a loss scale of 2**16 to come down to 1."""

FAR = 4.0
"""How many times the drop so far the loss may rise above its start; then the sweep has seen enough."""

PATIENCE = 5
"""For how many steps in a row, so that no single bad batch ends a sweep."""


def climb(rungs: Rungs, lrs: Floats, losses: Floats) -> None:
    """Take one step at each of these rates; a loss that is not finite, or that stays far above its start, ends it.

    Args:
        rungs: whose next step is the first.
        lrs: ``[n]``, a ladder, or the same rate over and over.
        losses: ``[n]``, is filled with the loss before each step; what is not reached stays as it is.
    """
    rung = skipped = 0
    while rung < len(lrs):
        loss = rungs.loss()
        if not math.isfinite(loss):
            return
        losses[rung] = loss
        if far_above(losses[: rung + 1], round(START * len(lrs))):
            return
        taken = rungs.step(float(lrs[rung]))
        rung, skipped = (rung + 1, 0) if taken else (rung, skipped + 1)
        if skipped > SKIPS:
            return


def far_above(losses: Floats, start: int) -> bool:
    """Whether the loss has risen so far above its start, in units of its drop, that it will not come back.

    Args:
        losses: ``[n]``, of the steps so far.
        start: how many of them are the start.
    """
    if len(losses) < max(start, 1) + PATIENCE:
        return False
    before = float(np.mean(losses[:start]))
    return bool(np.min(losses[-PATIENCE:]) > before + FAR * (before - float(np.min(losses))))
