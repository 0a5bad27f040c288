"""SIGTERM reaches the caller's handler, though the main thread waits inside Ray's core."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Carry SIGTERM out of the block as a KeyboardInterrupt, then call the handler that was set before.

    Ray's core checks for signals while it waits and lets KeyboardInterrupt through; any other exception that a handler
    raises there is lost, a SystemExit with its code.
    """
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[FrameType | None] = []

    def interrupt(_number: int, frame: FrameType | None) -> None:
        received.append(frame)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, before)
        if received:
            before(signal.SIGTERM, received[0])
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
