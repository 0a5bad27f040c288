"""A helper: a process that trains trials of another one's desk.

Its standard input is the life line: when that ends, the driver is gone, and so is the helper, whatever it is doing. The desk is at the
other end of a pipe, whose descriptor is the only argument: first comes the job, then every call is answered.
"""

from __future__ import annotations

import gc
import math
import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from sweeper.errors import SweeperError
from sweeper.runners.calls import PipedDesk
from sweeper.runners.session import Session

if TYPE_CHECKING:
    from sweeper.runners.local.helpers import Job

WAIT_S = 0.05
"""Between two questions whether something is open again, when there was nothing to train."""


def help_out(pipe: Connection) -> None:
    """Take the job from the pipe and train until nothing is open, or the sweep is another's."""
    path: list[str] = pipe.recv()
    sys.path[:] = path  # first, by itself: what the job's pickle imports lies there
    job: Job = pipe.recv()
    desk, train = PipedDesk(pipe), job.make_train(job.data)
    while desk.open():
        session = Session(job.worker, desk, train)
        session.run(math.inf)
        if session.stale is not None:
            return
        time.sleep(WAIT_S)


def _watch() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Watch the life line, and help."""
    gc.set_threshold(100_000)  # the imports that come with the job take longer when every 700 new objects are looked at
    threading.Thread(target=_watch, name="sweeper-life-line", daemon=True).start()
    try:
        help_out(Connection(int(sys.argv[1])))
    except (EOFError, OSError, SweeperError):
        sys.exit(1)  # the driver is gone, or meets the same trouble itself


if __name__ == "__main__":
    main()
