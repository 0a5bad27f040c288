"""The in-process runner: one stack after another, where a debugger and Ctrl-C work as in any script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import repeat

from sweeper.ports import Desk, Train
from sweeper.runners.session import Session

WORKER = "local"

SLICE_S = 1.0
"""Seconds between two questions to ``until``."""

WAIT_S = 0.05
"""Between two looks at what others still train."""


NEVER = repeat(False)


def run(desk: Desk, train: Train, until: Iterator[bool] = NEVER, helped: Callable[[], bool] = lambda: False) -> bool:
    """Train every open trial of the sweep in this process.

    Args:
        desk: where trials come from and reports go to.
        train: trains them.
        until: asked at the beginning and about once a second; at its first True training is closed, as at an interrupt.
        helped: whether other processes train beside this one; what they hold is waited for.

    Returns:
        Whether nothing is left.

    An interrupt (``KeyboardInterrupt`` or whatever a signal handler raises) goes through to the caller after training was closed. The
    desk is not told: what is in hand is open again as soon as the caller gives the sweep up, and no trial is suspected of anything.

    Raises:
        StaleWriterError: another process has taken the sweep over.
        InfrastructureError: a store failed.
    """
    session = Session(WORKER, desk, train)
    try:
        while not next(until):
            others = helped()  # asked before: what a helper gives back in dying is there for the session that follows
            if session.run(SLICE_S):
                continue
            if session.stale is not None:
                raise session.stale
            if not (others and desk.open()):
                return True
            time.sleep(WAIT_S)
    finally:
        session.close()
    return False
