"""The in-process runner: one stack after another, where a debugger and Ctrl-C work as in any script."""

from __future__ import annotations

import math

from sweeper.ports import Desk, Train
from sweeper.runners.session import Session

WORKER = "local"


def run(desk: Desk, train: Train) -> None:
    """Train every open trial of the sweep in this process.

    An interrupt (``KeyboardInterrupt`` or whatever a signal handler raises) goes through to the caller after training was closed. The
    desk is not told: what is in hand is open again as soon as the caller gives the sweep up, and no trial is suspected of anything.

    Raises:
        StaleWriterError: another process has taken the sweep over.
        InfrastructureError: a store failed.
    """
    session = Session(WORKER, desk, train)
    try:
        session.run(math.inf)
    finally:
        session.close()
    if session.stale is not None:
        raise session.stale
