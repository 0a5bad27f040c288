"""The desk behind a way to call it: a lock, a pipe, an actor's handle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

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
