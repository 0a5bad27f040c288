"""Work beside this process, on another processor: by a copy of it, which has all imports already."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

LOOK_S = 0.01
PATIENCE_S = 30.0
"""For a copy that hangs; then it is ended, and the work is the caller's."""


class Aside:
    """Work that leaves files, begun at once in a fork of this process where that is safe: on Linux, with a single thread.

    Nothing is told of how it ended: who needs the files waits, and makes what is missing.

    Args:
        work: whose exceptions come to nothing; it must not use what this process has open.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._copy = os.fork() if sys.platform == "linux" and threading.active_count() == 1 else None
        if self._copy == 0:
            try:
                work()
            finally:
                os._exit(0)

    def wait(self) -> None:
        """Until the copy has ended, if there is one."""
        if self._copy is None:
            return
        until = time.monotonic() + PATIENCE_S
        while os.waitpid(self._copy, os.WNOHANG) == (0, 0):
            if time.monotonic() > until:
                os.kill(self._copy, signal.SIGKILL)
            time.sleep(LOOK_S)
        self._copy = None
