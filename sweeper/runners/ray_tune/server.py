"""The desk in a process of its own.

This module is all that the desk's process imports of the runners: neither Ray's Tune nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sweeper.ports import Desk
from sweeper.trial import Lease, RangeFinding, RangeTest, Report, Trial, Verdict


class DeskServer:
    """Serves the desk that ``make_desk`` builds; a new process of it builds it anew from the ledger.

    The desk is built at the first call, not at the start: whatever ``make_desk`` raises then reaches a caller as itself.
    """

    def __init__(self, make_desk: Callable[[], Desk]) -> None:
        self._make_desk = make_desk
        self._desk: Desk | None = None
        self._recorded = 0

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """As ``Desk.lease``."""
        return self._built().lease(worker, lanes, beside)

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """As ``Desk.tested``."""
        self._built().tested(test, finding)
        self._recorded += 1

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """As ``Desk.report``."""
        verdicts = self._built().report(tokens, reports)
        self._recorded += len(reports)
        return verdicts

    def exchange(self, worker: str, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], Lease | RangeTest | None]:
        """As ``Desk.exchange``."""
        answer = self._built().exchange(worker, tokens, reports)
        self._recorded += len(reports)
        return answer

    def fail(self, token: int, trial: int, reason: str) -> None:
        """As ``Desk.fail``."""
        self._built().fail(token, trial, reason)
        self._recorded += 1

    def release(self, worker: str) -> None:
        """As ``Desk.release``."""
        self._built().release(worker)

    def open(self) -> bool:
        """As ``Desk.open``."""
        return self._built().open()

    def recorded(self) -> int:
        """Reports, range tests and failures recorded by this process: it changes whenever the sweep gets on."""
        return self._recorded

    def _built(self) -> Desk:
        if self._desk is None:
            self._desk = self._make_desk()
        return self._desk
