"""The desk: the study and the ledger behind one counter, the same for every runner.

The study decides, the ledger remembers, and nothing is answered before it is remembered. The module imports no torch: on Ray it is the
whole content of the process that serves the workers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sweeper.config.files import tree_of
from sweeper.config.resolve import digest
from sweeper.config.space import Space
from sweeper.errors import StaleWriterError
from sweeper.ledger.records import Entry, Live, SweepState
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.search.brackets import Unmeasured
from sweeper.search.pool import Pool
from sweeper.search.study import Study
from sweeper.trial import TEST_FAILED, Lease, Outcome, RangeFinding, RangeTest, Report, Stop, Trial, Verdict, first_stops

MAX_LOST_ATTEMPTS = 3
"""A trial that takes its worker down this often is failed: it would do so for ever."""

SAME_FAILURES = 3
"""So many equal failures, and nothing else, are broken code and not bad configs."""


class LedgerDesk:
    """Implements ``sweeper.ports.Desk`` for one sweep and one owner of it.

    Args:
        ledger: for reading.
        writer: of the sweep's owner.
        study: rebuilt from the ledger, as is what follows.
        unfinished: open trials, by number.
        live: those attempts of them that a worker still makes: the desk was built again, the worker went on.
        lost: how many attempts of them were lost with a worker, by number.
        setting: what a range test depends on beside its config: a digest of data, device and version.
    """

    def __init__(
        self,
        ledger: Ledger,
        writer: Writer,
        study: Study,
        unfinished: Sequence[Trial] = (),
        live: Mapping[int, Live] = MappingProxyType({}),
        lost: Mapping[int, int] = MappingProxyType({}),
        setting: str = "",
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._study = study
        self._setting = setting
        self._testing: dict[str, str] = {}
        self._pool = Pool(study)
        self._tokens = {number: attempt.token for number, attempt in live.items()}
        for trial in unfinished:
            if trial.number in lost:
                self._pool.suspect(trial)
            else:
                self._pool.add([trial])
            if trial.number in live:
                self._pool.hand(live[trial.number].worker, [trial])

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """What the pool chooses, recorded as started together with whatever was numbered for it; None also when the sweep is over.

        A range test is wanted first where the ledger has no equal one, of this sweep or of another.
        """
        if beside is None:
            # A worker that asks for a fresh lease has nothing in hand: what it still seems to hold was lost on the way to it.
            self.release(worker)
        return self._leased(worker, lanes, beside) if self._going() else None

    def _leased(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """A lease of a sweep that goes on; a test that is wanted first is noted."""
        answer = self._chosen(worker, lanes, beside)
        self._note(worker, answer.shape if isinstance(answer, RangeTest) else None)
        return answer

    def _chosen(self, worker: str, lanes: int, beside: Trial | None) -> Lease | RangeTest | None:
        try:
            trials = self._pool.choose(worker, lanes, beside)
        except Unmeasured as wanted:
            return self._chosen(worker, lanes, beside) if self._remembered(wanted.test) else wanted.test
        if not trials:
            return None
        tokens = self._writer.start([trial.number for trial in trials], worker, new=self._pool.new)
        self._pool.hand(worker, trials)
        self._tokens.update({trial.number: token for trial, token in zip(trials, tokens, strict=True)})
        return Lease(tuple(trials), tuple(tokens), self._study.ask_at, self._study.most(trials[0]))

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """Record a range test, and let the study go on with its finding."""
        self._writer.put_range_test(test.digest, self._signature(test), finding)
        self._study.brackets.take(test.digest, finding)

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """Judge and record; in a cancelled sweep every trial stops at the last of its reports."""
        return self._recorded(tokens, reports)[0]

    def exchange(self, worker: str, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], Lease | RangeTest | None]:
        """As ``report`` and ``lease``, which looks at the sweep's state no second time."""
        verdicts, going = self._recorded(tokens, reports)
        ended = any(isinstance(verdict, Stop) for verdict in verdicts)
        return verdicts, self._leased(worker, 1) if ended and going else None

    def _recorded(self, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], bool]:
        """The verdicts, and whether the sweep goes on."""
        # A late report of a lost attempt must not reach the study: the trial's new attempt is judged there.
        for token, report in zip(tokens, reports, strict=True):
            if self._tokens.get(report.trial) != token:
                raise StaleWriterError(f"attempt {token} of trial {report.trial} is not live any more")
        verdicts = self._study.report(reports)
        entries = [
            Entry(token, report, verdict, self._study.best_of(report.trial))
            for token, report, verdict in zip(tokens, reports, verdicts, strict=True)
        ]
        going = self._writer.record(entries) is SweepState.OPEN
        if not going:
            stopped = first_stops(reports, verdicts)
            # What goes on is entered once more, with its end; to look at the state first would be one more transaction for every report.
            last = {report.trial: index for index, report in enumerate(reports) if report.trial not in stopped}
            for index in last.values():
                verdicts[index] = Stop(Outcome.CANCELLED, f"cancelled at epoch {reports[index].epoch}")
            self._writer.record([replace(entries[index], verdict=verdicts[index]) for index in last.values()])
        for number, (_, stop) in first_stops(reports, verdicts).items():
            self._close(number, stop.outcome)
        return verdicts, going

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
        self._note(worker, None)
        held = self._pool.held_by(worker)
        self._pool.dismiss(worker)
        if not held:
            return
        for number, lost in self._writer.release(worker).items():
            del self._tokens[number]
            self._study.reopen(number)
            if lost < MAX_LOST_ATTEMPTS:
                self._pool.suspect(held[number])
            else:
                self._writer.close(number, Outcome.FAILED, f"its worker died {lost} times")
                self._pool.close(number)
                self._study.close(number, Outcome.FAILED)

    def open(self) -> bool:
        """Whether any trial is still to be trained to its end."""
        if not self._going():
            return False
        return self._ledger.counts(self._writer.sweep).unfinished

    def _close(self, number: int, outcome: Outcome) -> None:
        self._study.close(number, outcome)
        self._pool.close(number)
        del self._tokens[number]

    def _note(self, worker: str, shape: str | None) -> None:
        """Say in the sweep's facts, for who looks on, whose learning rates are being tested; None: not by this worker (any more)."""
        testing = {other: told for other, told in self._testing.items() if other != worker} | ({} if shape is None else {worker: shape})
        if testing != self._testing:
            self._testing = testing
            self._writer.set_facts(testing={"shapes": list(testing.values()), "done": self._study.brackets.known})

    def _remembered(self, test: RangeTest) -> bool:
        """Whether an equal test was made before; a failed one, and one of a user's model, is made again: its code may be other now."""
        if test.config["model"]["family"] == "custom":
            return False
        equal = self._ledger.equal_range_test(self._signature(test))
        if equal is None or equal.finding.status == TEST_FAILED:
            return False
        finding = replace(equal.finding, cost_steps=0, seconds=0.0)
        self._writer.put_range_test(test.digest, self._signature(test), finding, cached=True)
        self._study.brackets.take(test.digest, finding)
        return True

    def _signature(self, test: RangeTest) -> str:
        return f"{test.digest} {self._setting}"

    def _going(self) -> bool:
        return self._writer.beat() is SweepState.OPEN


def open_desk(ledger_url: str, sweep: str, epoch: int, device: str = "cpu") -> LedgerDesk:
    """The desk of a sweep, rebuilt from the ledger.

    Args:
        ledger_url: without a password; where the process has ``SWEEPER_LEDGER_URL``, that one is used, so that no password travels.
        sweep: the sweep's name.
        epoch: the owner epoch that the driver's claim gave; a later claim makes this desk stale.
        device: what trials are trained on.

    Raises:
        InputError: there is no such sweep.
    """
    ledger = Ledger.open(os.environ.get("SWEEPER_LEDGER_URL") or ledger_url)
    record = ledger.known(sweep)
    space = Space.parse(record.space, f"the ledger's space of {sweep}")
    past = ledger.past(sweep)
    study = Study.restore(space, record.target, past, {one.digest: one.finding for one in ledger.range_tests(sweep)})
    unfinished = [one.trial for one in past if one.outcome is None]
    depends = {"data": tree_of(space.base)["data"], "device": device}
    depends |= {"hash": record.facts.get("data_hash"), "version": record.facts.get("versions", {}).get("sweeper")}
    return LedgerDesk(ledger, ledger.writer(sweep, epoch), study, unfinished, ledger.live(sweep), ledger.lost(sweep), digest(depends))
