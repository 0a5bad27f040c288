from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sweeper.errors import StaleWriterError
from sweeper.ledger.invariants import check
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry, SweepState
from sweeper.ledger.store import Ledger
from sweeper.trial import Outcome, Stop
from tests.ledger.fakes import new_sweep, report, trial

TARGET = 6
WORKERS = st.sampled_from(["w0", "w1", "w2"])
PICK = st.integers(0, 10_000)
ENDS = st.sampled_from([Outcome.COMPLETE, Outcome.PRUNED, Outcome.DIVERGED])


class Sweeping(RuleBasedStateMachine):
    """Workers that come and go, drivers that are replaced, and a model of what the ledger must then hold.

    ``live`` maps a token to (trial, epochs, worker, writer) for attempts that may report; ``dead`` holds tokens that may not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger.open(f"sqlite:///{self.folder / 'ledger.db'}")
        self.ledger.create_sweep(new_sweep(target=TARGET))
        self.writer = self.ledger.claim("mlp", Owner.here())
        self.stale = self.ledger.writer("mlp", 0)
        self.numbers = itertools.count()
        self.numbered = 0
        self.live: dict[int, tuple[int, int, str]] = {}
        self.dead: dict[int, int] = {}
        self.closed: dict[int, Outcome] = {}

    def teardown(self) -> None:
        """Leave no file behind."""
        self.ledger.close()
        shutil.rmtree(self.folder)

    def pick(self, index: int) -> int:
        """One of the live tokens."""
        return sorted(self.live)[index % len(self.live)]

    def kill(self, token: int) -> None:
        """The attempt may not report any more."""
        self.dead[token] = self.live.pop(token)[0]

    def idle(self) -> list[int]:
        """Open trials without a live attempt."""
        busy = {number for number, _, _ in self.live.values()}
        return [number for number in range(self.numbered) if number not in busy and number not in self.closed]

    @precondition(lambda self: self.numbered < TARGET)
    @rule(count=st.integers(1, 3), older=st.booleans(), first=st.integers(0, 3), worker=WORKERS)
    def number(self, count: int, older: bool, first: int, worker: str) -> None:
        """New trials are numbered, and some of them, or also older ones that wait, are handed to a worker."""
        new = range(self.numbered, min(TARGET, self.numbered + count))
        numbers = [*(self.idle() if older else []), *new[:first]]
        tokens = self.writer.start(numbers, worker, new=[trial(number) for number in new])
        assert not {*tokens} & (self.live.keys() | self.dead.keys())
        self.live.update({token: (number, 0, worker) for token, number in zip(tokens, numbers, strict=True)})
        self.numbered = new.stop

    @precondition(lambda self: self.idle())
    @rule(index=PICK, worker=WORKERS)
    def start(self, index: int, worker: str) -> None:
        """An open trial is handed out again."""
        number = self.idle()[index % len(self.idle())]
        self.live[self.writer.start([number], worker)[0]] = (number, 0, worker)

    @precondition(lambda self: self.live)
    @rule(index=PICK, epochs=st.integers(1, 3), end=st.none() | ENDS)
    def report(self, index: int, epochs: int, end: Outcome | None) -> None:
        """Some epochs of one trial arrive together; the last may close it."""
        token = self.pick(index)
        number, done, worker = self.live[token]
        last = done + epochs
        entries = [Entry(token, report(number, epoch)) for epoch in range(done + 1, last)]
        verdict = None if end is None else Stop(end, "because")
        self.writer.record([*entries, Entry(token, report(number, last), verdict, (0.5, 1))])
        self.live[token] = (number, last, worker)
        if end is not None:
            self.closed[number] = end
            self.kill(token)

    @precondition(lambda self: self.live)
    @rule(index=PICK)
    def fail(self, index: int) -> None:
        """A trial's code raises."""
        token = self.pick(index)
        self.closed[self.live[token][0]] = Outcome.FAILED
        self.writer.fail(token, "boom")
        self.kill(token)

    @rule(worker=WORKERS)
    def release(self, worker: str) -> None:
        """A worker dies."""
        lost = {token: number for token, (number, _, of) in self.live.items() if of == worker}
        assert list(self.writer.release(worker)) == sorted(lost.values())
        for token in lost:
            self.kill(token)

    @rule()
    def take_over(self) -> None:
        """The driver dies and another one takes the sweep."""
        self.stale = self.writer
        self.writer.release_owner()
        self.writer = self.ledger.claim("mlp", Owner.here())
        for token in list(self.live):
            self.kill(token)

    @precondition(lambda self: self.dead)
    @rule(index=PICK)
    def report_late(self, index: int) -> None:
        """An attempt that is over reports: refused."""
        token = sorted(self.dead)[index % len(self.dead)]
        with pytest.raises(StaleWriterError):
            self.writer.record([Entry(token, report(self.dead[token], 1), Stop(Outcome.COMPLETE, "late"), (0.0, 1))])

    @precondition(lambda self: self.live)
    @rule(index=PICK)
    def report_from_an_orphan(self, index: int) -> None:
        """The former driver writes with a token that is live: refused."""
        token = self.pick(index)
        with pytest.raises(StaleWriterError):
            self.stale.record([Entry(token, report(self.live[token][0], 1))])

    @precondition(lambda self: self.numbered > len(self.closed) + len(self.idle()) or self.closed)
    @rule(index=PICK)
    def start_twice(self, index: int) -> None:
        """A trial that is closed or in training is not started."""
        taken = sorted({number for number, _, _ in self.live.values()} | self.closed.keys())
        with pytest.raises(StaleWriterError):
            self.writer.start([taken[index % len(taken)]], "w9")

    @invariant()
    def the_ledger_agrees(self) -> None:
        """Its counts are the model's, and every invariant holds."""
        counts = self.ledger.counts("mlp")
        assert (counts.numbered, counts.closed, counts.running) == (self.numbered, len(self.closed), len(self.live))
        assert {item.trial.number: item.outcome for item in self.ledger.past("mlp") if item.outcome} == self.closed
        assert check(self.ledger, self.ledger.known("mlp")) == []
        if counts.closed == TARGET:
            self.writer.finish(SweepState.COMPLETE)
            assert check(self.ledger, self.ledger.known("mlp")) == []
            self.writer.extend(TARGET)


Sweeping.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestSweeping = Sweeping.TestCase
