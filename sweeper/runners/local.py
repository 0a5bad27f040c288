"""The in-process runner: one trial after another, where a debugger and Ctrl-C work as in any script."""

from __future__ import annotations

import math

from sweeper.errors import SweeperError
from sweeper.ports import Desk, Train
from sweeper.runners.session import Session

WORKER = "local"


def run(desk: Desk, train: Train) -> None:
    """Train every open trial of the sweep in this process.

    An interrupt (``KeyboardInterrupt`` or whatever a signal handler raises) goes through to the caller after the trial
    in hand was given back, so that it is open again.

    Raises:
        StaleWriterError: another process has taken the sweep over.
        InfrastructureError: a store failed.
    """
    session = Session(WORKER, desk, train)
    try:
        session.run(math.inf)
    except SweeperError:
        raise
    except BaseException:
        session.close()
        desk.release(WORKER)
        raise
    finally:
        session.close()
    if session.stale is not None:
        raise session.stale
