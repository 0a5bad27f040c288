"""A sweep by sweeper's own study, desk, ledger, sessions and core, on two processes that are ready when the clock starts.

The desk answers in this process, as it does in one of its own on Ray.
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.quality.tasks import space_and_data
from benchmarks.quality.trace import Recorder, Trace
from benchmarks.quality.workers import Workers
from sweeper.config.space import Space
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import NewSweep
from sweeper.ledger.store import Ledger
from sweeper.runners.calls import PipedDesk, answer
from sweeper.trial import Outcome, Report, Stop, Verdict

if TYPE_CHECKING:
    from sweeper.app.desk import LedgerDesk
    from sweeper.ports import Train


def run(trace: Trace, settings: Sequence[str], target: float | None) -> None:
    """Sweep until every trial has ended, or one that reaches the target is complete.

    Args:
        trace: is filled.
        settings: of the space, as ``--set`` takes them.
        target: stop there; None: never.

    Raises:
        RuntimeError: a trial failed.
    """
    from sweeper.search.tpe import TpeSampler  # noqa: F401 - Optuna's import is part of the start

    started = time.time()
    space, data = space_and_data(settings)
    recorder = Recorder(trace, target, space.base.search.trials)
    with tempfile.TemporaryDirectory(prefix="search-quality-") as name:
        desk = open_desk(space, Path(name))
        with Workers(space, data, Path(name) / "checkpoints", sessions) as workers:
            counter = Counter(desk, recorder)
            threads = [threading.Thread(target=counter.serve, args=(pipe,), daemon=True) for pipe in workers.pipes]
            zero = workers.go()
            recorder.begin(zero)
            trace.startup = zero - started
            for thread in threads:
                thread.start()
            recorder.done.wait()
        for thread in threads:
            thread.join()
    if counter.trouble:
        raise RuntimeError(counter.trouble)


def open_desk(space: Space, folder: Path) -> LedgerDesk:
    """The desk of a new sweep in a ledger of its own."""
    from sweeper.app import desk

    url = f"sqlite:///{folder / 'ledger.db'}"
    ledger = Ledger.open(url)
    search = space.base.search
    ledger.create_sweep(NewSweep(space.name, space.text, space.fingerprint(), search.metric, search.trials))
    return desk.open_desk(url, space.name, ledger.claim(space.name, Owner.here()).epoch)


class Counter:
    """Serves the desk to both processes, one call at a time, and records what passes over it.

    Attributes:
        trouble: what a trial failed of, if one did.
    """

    def __init__(self, desk: LedgerDesk, recorder: Recorder) -> None:
        self.trouble = ""
        self._desk = desk
        self._recorder = recorder
        self._lock = threading.Lock()

    def serve(self, pipe: Connection) -> None:
        """Answer until the process at the other end is gone."""
        try:
            answer(pipe, self._call)
        except (EOFError, OSError):
            if not self._recorder.done.is_set():
                self._stop("a worker process ended early")

    def _call(self, method: str, *arguments: Any) -> Any:
        with self._lock:
            try:
                found = getattr(self._desk, method)(*arguments)
            except Exception as error:
                self._stop(f"{method}: {error}")
                raise
            if method == "report":
                self._record(arguments[1], found)
            elif method == "exchange":
                self._record(arguments[2], found[0])
            elif method == "fail":
                self._stop(f"{method}: {arguments}")
            return found

    def _stop(self, trouble: str) -> None:
        self.trouble = trouble
        self._recorder.done.set()

    def _record(self, reports: Sequence[Report], verdicts: Sequence[Verdict]) -> None:
        ended: dict[int, tuple[float, Outcome]] = {}
        for report, verdict in zip(reports, verdicts, strict=True):
            self._recorder.report(report.at, report.trial, report.metrics["val_loss"])
            if isinstance(verdict, Stop):
                ended.setdefault(report.trial, (report.at, verdict.outcome))
        for number, (at, outcome) in ended.items():
            self._recorder.end(at, number, outcome)


def sessions(pipe: Connection, name: str, train: Train) -> None:
    """The job of a process: sessions until nothing is open."""
    from sweeper.runners.session import Session

    desk = PipedDesk(pipe)
    while desk.open():
        Session(name, desk, train).run(math.inf)
        time.sleep(0.02)  # what is left is in the other's hands, for now
