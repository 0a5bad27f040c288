"""A driving process for tests that signal it: ``python -m tests.runners.ray_driver LEDGER TRIALS SECONDS``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

from sweeper.runners.ray_tune import Cluster, run
from tests.runners.ray_fakes import MakeDesk, MakeTrain, data


class Terminated(BaseException):
    """SIGTERM, as the command line raises it."""


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """The handler of SIGTERM."""
    raise Terminated


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)
    ledger = Path(sys.argv[1])
    try:
        with Cluster("driver", cpus=2) as cluster:
            cluster.ready()
            run(
                MakeDesk(ledger, int(sys.argv[2])),
                MakeTrain(float(sys.argv[3])),
                data(),
                workers=2,
                cpus_per_worker=1,
                gpus_per_worker=0,
                name="sweep",
                home=ledger.parent,
            )
    except KeyboardInterrupt:
        sys.exit(130)
    except Terminated:
        sys.exit(143)
