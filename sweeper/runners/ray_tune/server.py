"""The desk in a process of its own.

This module is all that the desk's process imports of the runners: neither Ray's Tune nor torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sweeper.ports import Desk
from sweeper.runners.calls import CalledDesk
from sweeper.runners.ray_tune.line import Line

RECORDING = frozenset({"report", "exchange", "tested", "fail"})
"""Calls by which the sweep gets on."""


class DeskServer(CalledDesk):
    """Serves the desk that ``make_desk`` builds; a new process of it builds it anew from the ledger.

    The desk is built at the first call, not at the start: whatever ``make_desk`` raises then reaches a caller as itself.
    """

    def __init__(self, make_desk: Callable[[], Desk]) -> None:
        self._make_desk = make_desk
        self._desk: Desk | None = None
        self._recorded = 0
        self._lock = threading.Lock()
        self._line: Line | None = None

    def call(self, method: str, *arguments: Any) -> Any:
        """One call at a time, whichever way it comes."""
        with self._lock:
            if self._desk is None:
                self._desk = self._make_desk()
            answer = getattr(self._desk, method)(*arguments)
            self._recorded += method in RECORDING
            return answer

    def recorded(self) -> int:
        """Calls that this process has recorded something of: it changes whenever the sweep gets on."""
        return self._recorded

    def address(self) -> tuple[str, bytes] | None:
        """Of the line to this process, for the workers on its machine; None where there can be none."""
        try:
            self._line = self._line or Line(self.call)
        except OSError:
            return None
        return self._line.address
