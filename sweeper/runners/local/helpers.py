"""Processes that train beside this one, at its desk: what they ask is answered by a thread each, one question at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from sweeper.data.dataset import Dataset
from sweeper.errors import SweeperError
from sweeper.ports import Train
from sweeper.runners.calls import SharedDesk, answer


@dataclass(frozen=True)
class Job:
    """What a helper needs.

    Attributes:
        worker: its name at the desk.
        make_train: gives the training for the data; a function that can be pickled.
        data: prepared.
    """

    worker: str
    make_train: Callable[[Dataset], Train]
    data: Dataset


@dataclass(frozen=True)
class _Helper:
    """A process, and this end of the pipe to it."""

    worker: str
    process: subprocess.Popen[bytes]
    pipe: Connection


class Helpers:
    """Helper processes, for the block of a ``with``; leaving it ends them, and what they held stays open.

    One that dies is not replaced: its trials are open again, for whoever is left.

    Args:
        desk: where they get trials.
        make_train: gives each the training for the data.
        data: prepared.
    """

    def __init__(self, desk: SharedDesk, make_train: Callable[[Dataset], Train], data: Dataset) -> None:
        self._desk = desk
        self._make_train = make_train
        self._data = data
        self._helpers: list[_Helper] = []
        self._threads: list[threading.Thread] = []
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over = True
        for helper in self._helpers:
            helper.process.kill()
        for helper in self._helpers:
            helper.process.communicate()  # closes the life line and waits
        for thread in self._threads:
            thread.join()
        for helper in self._helpers:
            helper.pipe.close()

    def __len__(self) -> int:
        """How many were started."""
        return len(self._helpers)

    def start(self, number: int) -> None:
        """Let so many more train; they need some seconds for their imports."""
        for _ in range(number):
            helper = _start(f"local-{len(self._helpers) + 1}")
            self._helpers.append(helper)
            self._threads.append(threading.Thread(target=self._serve, args=(helper,), name=f"sweeper-{helper.worker}"))
            self._threads[-1].start()

    def at_work(self) -> bool:
        """Whether any of them lives."""
        return any(thread.is_alive() for thread in self._threads)

    def _serve(self, helper: _Helper) -> None:
        """Answer one helper until it is gone; what it still held is open again, unless all is over."""
        with suppress(EOFError, OSError):
            helper.pipe.send(sys.path)
            helper.pipe.send(Job(helper.worker, self._make_train, self._data))
            answer(helper.pipe, self._desk.call)
        if not self._over:
            with suppress(SweeperError):  # the driver's own next question to the desk meets the same trouble
                self._desk.release(helper.worker)


def _start(worker: str) -> _Helper:
    mine, other = Pipe()
    with other:
        process = subprocess.Popen(  # noqa: S603 - our own module and a number
            [sys.executable, "-m", "sweeper.runners.local.process", str(other.fileno())],
            stdin=subprocess.PIPE,
            stdout=2,  # standard output is the driver's alone
            pass_fds=[other.fileno()],
            # A Ctrl-C in the terminal is the driver's to judge. Not a session of its own: see ``tracking.follow``.
            process_group=0,
        )
    return _Helper(worker, process, mine)
