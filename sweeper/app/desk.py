"""The desk: the study and the ledger behind one counter, the same for every runner.

The study decides, the ledger remembers, and nothing is answered before it is remembered. The module imports no torch: on Ray it is the
whole content of the process that serves the workers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sweeper.config.space import Space
from sweeper.errors import StaleWriterError
from sweeper.ledger.records import Entry, SweepState
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.search.study import Study
from sweeper.trial import Continue, Lease, Outcome, Report, Stop, Trial, Verdict

MAX_LOST_ATTEMPTS = 3
"""A trial that takes its worker down this often is failed: it would do so for ever."""

SAME_FAILURES = 3
"""So many equal failures, and nothing else, are broken code and not bad configs."""


class LedgerDesk:
    """Implements ``sweeper.ports.Desk`` for one sweep and one owner of it.

    Args:
        ledger: for reading.
        writer: of the sweep's owner.
        study: rebuilt from the ledger.
        unfinished: open trials; those that nobody trains are handed out before new ones.
        live: tokens, by number, of those that a worker still trains: the desk was built again, the worker went on.
    """

    def __init__(
        self, ledger: Ledger, writer: Writer, study: Study, unfinished: Sequence[Trial] = (), live: Mapping[int, int] = MappingProxyType({})
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._study = study
        self._handed = {trial.number: (live[trial.number], trial) for trial in unfinished if trial.number in live}
        self._idle = {trial.number: trial for trial in unfinished if trial.number not in live}

    def lease(self, worker: str, lanes: int) -> Lease | None:
        """Trials that lost their worker come first, then new ones; None when nothing is left or the sweep is over."""
        # A worker holds one lease at a time: what it still seems to hold was lost on the way to it.
        self.release(worker)
        if not self._going():
            return None
        if self._idle:
            number = min(self._idle)
            token = self._writer.start(number, worker)
            return self._lease([self._idle.pop(number)], [token])
        trials = self._study.ask(lanes)
        return self._lease(trials, self._writer.number(trials, worker)) if trials else None

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """Judge and record; in a cancelled sweep every trial stops at its next report."""
        # A late report of a lost attempt must not reach the study: the trial's new attempt is judged there.
        for token, report in zip(tokens, reports, strict=True):
            if self._handed.get(report.trial, (None,))[0] != token:
                raise StaleWriterError(f"attempt {token} of trial {report.trial} is not live any more")
        going = self._going()
        verdicts: list[Verdict] = []
        entries = []
        for token, report in zip(tokens, reports, strict=True):
            verdict = self._study.report(report)
            if not going and isinstance(verdict, Continue):
                verdict = Stop(Outcome.CANCELLED, f"cancelled at epoch {report.epoch}")
            verdicts.append(verdict)
            entries.append(Entry(token, report, verdict, self._study.best_of(report.trial)))
        self._writer.record(entries)
        # Of several reports of one trial the first Stop counts; in a cancelled sweep each of them gets one.
        ended: dict[int, Outcome] = {}
        for report, verdict in zip(reports, verdicts, strict=True):
            if isinstance(verdict, Stop):
                ended.setdefault(report.trial, verdict.outcome)
        for number, outcome in ended.items():
            self._close(number, outcome)
        return verdicts

    def fail(self, token: int, trial: int, reason: str) -> None:
        """Close the trial as failed; equal failures from the first trial on end the sweep as broken."""
        self._writer.fail(token, reason)
        self._close(trial, Outcome.FAILED)
        counts = self._ledger.counts(self._writer.sweep)
        if counts.closed == counts.failed == SAME_FAILURES:
            failed = [record for record in self._ledger.trials(self._writer.sweep) if record.outcome is Outcome.FAILED]
            if len({(record.reason or "").partition("\n")[0] for record in failed}) == 1:
                self._writer.finish(SweepState.BROKEN)

    def release(self, worker: str) -> None:
        """Open the worker's trials again, or fail those that have lost too many."""
        for number in self._writer.release(worker):
            self._study.reopen(number)
            lost = self._writer.lost_attempts(number)
            if lost < MAX_LOST_ATTEMPTS:
                _, self._idle[number] = self._handed.pop(number)
            else:
                self._writer.close(number, Outcome.FAILED, f"its worker died {lost} times")
                self._close(number, Outcome.FAILED)

    def open(self) -> bool:
        """Whether any trial is still to be trained to its end."""
        if not self._going():
            return False
        return self._ledger.counts(self._writer.sweep).unfinished

    def _lease(self, trials: Sequence[Trial], tokens: Sequence[int]) -> Lease:
        self._handed.update({trial.number: (token, trial) for token, trial in zip(tokens, trials, strict=True)})
        return Lease(tuple(trials), tuple(tokens), self._study.ask_at)

    def _close(self, number: int, outcome: Outcome) -> None:
        self._study.close(number, outcome)
        del self._handed[number]

    def _going(self) -> bool:
        return self._writer.beat() is SweepState.OPEN


def open_desk(ledger_url: str, sweep: str, epoch: int) -> LedgerDesk:
    """The desk of a sweep, rebuilt from the ledger.

    Args:
        ledger_url: without a password; where the process has ``SWEEPER_LEDGER_URL``, that one is used, so that no password travels.
        sweep: the sweep's name.
        epoch: the owner epoch that the driver's claim gave; a later claim makes this desk stale.

    Raises:
        InputError: there is no such sweep.
    """
    ledger = Ledger.open(os.environ.get("SWEEPER_LEDGER_URL") or ledger_url)
    record = ledger.known(sweep)
    space = Space.parse(record.space, f"the ledger's space of {sweep}")
    past = ledger.past(sweep)
    study = Study.restore(space, record.target, past)
    unfinished = [one.trial for one in past if one.outcome is None]
    return LedgerDesk(ledger, ledger.writer(sweep, epoch), study, unfinished, ledger.live(sweep))
