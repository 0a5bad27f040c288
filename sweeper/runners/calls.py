"""The desk behind a way to call it: a lock, a pipe, an actor's handle; and the other end of the pipe."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from sweeper.ports import Desk
from sweeper.trial import Lease, RangeFinding, RangeTest, Report, Trial, Verdict


class CalledDesk(ABC):
    """Implements ``sweeper.ports.Desk`` by calling a desk that is somewhere else; each way to call it says how."""

    @abstractmethod
    def call(self, method: str, *arguments: Any) -> Any:
        """Call this method of the desk; what it raises is raised here."""

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """As ``Desk.lease``."""
        answer: Lease | RangeTest | None = self.call("lease", worker, lanes, beside)
        return answer

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """As ``Desk.tested``."""
        self.call("tested", test, finding)

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """As ``Desk.report``."""
        answer: list[Verdict] = self.call("report", tokens, reports)
        return answer

    def exchange(self, worker: str, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], Lease | RangeTest | None]:
        """As ``Desk.exchange``."""
        answer: tuple[list[Verdict], Lease | RangeTest | None] = self.call("exchange", worker, tokens, reports)
        return answer

    def fail(self, token: int, trial: int, reason: str) -> None:
        """As ``Desk.fail``."""
        self.call("fail", token, trial, reason)

    def release(self, worker: str) -> None:
        """As ``Desk.release``."""
        self.call("release", worker)

    def open(self) -> bool:
        """As ``Desk.open``."""
        answer: bool = self.call("open")
        return answer


class SharedDesk(CalledDesk):
    """A desk for several threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()

    def call(self, method: str, *arguments: Any) -> Any:
        """One call at a time."""
        with self._lock:
            return getattr(self._desk, method)(*arguments)


class PipedDesk(CalledDesk):
    """The desk at the other end of a pipe.

    Raises:
        EOFError, OSError: nobody is there any more.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def call(self, method: str, *arguments: Any) -> Any:
        """Ask, and wait for the answer."""
        self._pipe.send((method, arguments))
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(pipe: Connection, call: Callable[..., Any]) -> None:
    """Be the other end of a ``PipedDesk``: make the calls that come until nobody asks any more.

    Raises:
        EOFError, OSError: nobody is there any more.
    """
    while True:
        method, arguments = pipe.recv()
        try:
            found = call(method, *arguments)
        except Exception as error:  # noqa: BLE001 - raised where the call was made
            found = error
        pipe.send(found)
