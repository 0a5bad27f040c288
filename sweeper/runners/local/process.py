"""A helper: a process that trains trials of another one's desk.

Its standard input is the life line: when that ends, the driver is gone, and so is the helper, whatever it is doing. The desk is at the
other end of a pipe, whose descriptor is the only argument: first comes the job, then every call is answered.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from sweeper.errors import SweeperError
from sweeper.runners.session import Session
from sweeper.trial import Lease, RangeFinding, RangeTest, Report, Trial, Verdict

if TYPE_CHECKING:
    from sweeper.runners.local.helpers import Job

WAIT_S = 0.05
"""Between two questions whether something is open again, when there was nothing to train."""


class PipedDesk:
    """The desk at the other end of a pipe.

    Raises:
        EOFError, OSError: nobody is there any more.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """As ``Desk.lease``."""
        answer: Lease | RangeTest | None = self._ask("lease", worker, lanes, beside)
        return answer

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """As ``Desk.tested``."""
        self._ask("tested", test, finding)

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """As ``Desk.report``."""
        answer: list[Verdict] = self._ask("report", tokens, reports)
        return answer

    def fail(self, token: int, trial: int, reason: str) -> None:
        """As ``Desk.fail``."""
        self._ask("fail", token, trial, reason)

    def release(self, worker: str) -> None:
        """As ``Desk.release``."""
        self._ask("release", worker)

    def open(self) -> bool:
        """As ``Desk.open``."""
        answer: bool = self._ask("open")
        return answer

    def _ask(self, method: str, *arguments: Any) -> Any:
        self._pipe.send((method, arguments))
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


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
    threading.Thread(target=_watch, name="sweeper-life-line", daemon=True).start()
    try:
        help_out(Connection(int(sys.argv[1])))
    except (EOFError, OSError, SweeperError):
        sys.exit(1)  # the driver is gone, or meets the same trouble itself


if __name__ == "__main__":
    main()
