"""A desk that follows a script and a training on closed formulas."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from sweeper.errors import StaleWriterError
from sweeper.trial import Command, Continue, Lease, Outcome, RangeFinding, RangeTest, Refill, Report, Stop, Trial, Verdict

EPOCHS = 9
RUNGS = frozenset({2, 6})
GO_ON = Continue("good enough so far")


def trial(number: int, **model: float) -> Trial:
    """A trial whose config holds only what the fake training reads."""
    return Trial(number=number, seed=number, values={}, config={"model": model}, shape="0")


def loss(number: int, epoch: int) -> float:
    """The validation loss of a trial at an epoch, by formula."""
    return (number + 1) / epoch


def report(number: int, epoch: int, value: float | None = None, at: float = 0.0) -> Report:
    """What the fake training reports at an epoch."""
    value = loss(number, epoch) if value is None else value
    return Report(number, epoch, {"train_loss": value, "val_loss": value}, at, f"all {EPOCHS} epochs" if epoch == EPOCHS else None)


@dataclass
class FakeTrain:
    """Trains by formula; records which lanes got which commands, which trials began together, and which generators were closed."""

    on_step: Callable[[int], None] = lambda _epoch: None
    nan: tuple[int, int] | None = None
    side: int = 1
    poison: tuple[int, int] | None = None
    commands: list[tuple[int, int, Command]] = field(default_factory=list)
    stacks: list[list[int]] = field(default_factory=list)
    closed: int = 0
    tests: list[str] = field(default_factory=list)
    bad_tests: frozenset[str] = frozenset()

    def lanes(self, trial: Trial, most: int) -> int:  # noqa: ARG002 - the Protocol's signature
        """As many for every trial."""
        return self.side

    def range_test(self, test: RangeTest) -> RangeFinding:
        """Always the same, or an error."""
        self.tests.append(test.digest)
        if test.digest in self.bad_tests:
            raise ValueError("nobody can train this")
        return RangeFinding("ok", "fine", 0.1, (0.01, 1.0), 300, 0.5)

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """One report per live lane and epoch, until every lane is stopped; trial and epoch of ``poison`` bring the whole stack down."""
        lanes = [(t, 1) for t in trials]
        self.stacks.append([t.number for t in trials])
        try:
            while lanes:
                self.on_step(lanes[0][1])
                if self.poison in [(t.number, epoch) for t, epoch in lanes]:
                    raise ValueError("poison")
                reports = [report(t.number, epoch, float("nan") if self.nan == (t.number, epoch) else None) for t, epoch in lanes]
                answers = yield reports
                self.commands += [(r.trial, r.epoch, c) for r, c in zip(reports, answers, strict=True)]
                lanes = [
                    (c.trial, 1) if isinstance(c, Refill) else (t, epoch + 1)
                    for (t, epoch), c in zip(lanes, answers, strict=True)
                    if not isinstance(c, Stop) and (epoch < EPOCHS or isinstance(c, Refill))
                ]
        finally:
            self.closed += 1


@dataclass
class FakeDesk:
    """Hands out `todo` in order and answers by `rule`; remembers every call."""

    todo: list[Trial]
    rule: Callable[[Report], Verdict] = lambda _report: GO_ON
    calls: list[list[tuple[int, int]]] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    stale: set[int] = field(default_factory=set)
    held: dict[str, list[Trial]] = field(default_factory=dict)
    leases: list[tuple[int, int | None]] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)
    wanted: list[RangeTest] = field(default_factory=list)
    findings: dict[str, RangeFinding] = field(default_factory=dict)

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """The tests that are wanted, then the next trials in line, with tokens 100 + number; those that were given back come alone."""
        if self.wanted:
            return self.wanted[0]
        self.leases.append((lanes, None if beside is None else beside.number))
        mixed = beside is not None and (beside.number in self.alone or any(t.number in self.alone for t in self.todo[:lanes]))
        if mixed:
            return None
        taken, self.todo = tuple(self.todo[:lanes]), self.todo[lanes:]
        if not taken:
            return None
        self.held[worker] = [*self.held.get(worker, []), *taken]
        return Lease(taken, tuple(100 + t.number for t in taken), RUNGS, len(taken) + len(self.todo))

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """It is not wanted any more."""
        self.wanted.remove(test)
        self.findings[test.digest] = finding

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """Finite first, then ended, then the script."""
        assert [r.trial + 100 for r in reports] == list(tokens)
        if self.stale.intersection(tokens):
            raise StaleWriterError("trial 0 was given to another worker")
        self.calls.append([(r.trial, r.epoch) for r in reports])
        verdicts = [self._judge(r) for r in reports]
        for r, verdict in zip(reports, verdicts, strict=True):
            if isinstance(verdict, Stop):
                self.outcomes[r.trial] = verdict.outcome
        return verdicts

    def exchange(self, worker: str, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], Lease | RangeTest | None]:
        """Both calls in one."""
        verdicts = self.report(tokens, reports)
        return verdicts, self.lease(worker, 1) if any(isinstance(verdict, Stop) for verdict in verdicts) else None

    def _judge(self, r: Report) -> Verdict:
        if not r.finite():
            return Stop(Outcome.DIVERGED, "the loss is not finite")
        if r.ended is not None:
            return Stop(Outcome.COMPLETE, r.ended)
        return self.rule(r)

    def fail(self, token: int, trial: int, reason: str) -> None:
        """Close it as failed."""
        assert token == trial + 100
        self.outcomes[trial] = Outcome.FAILED
        self.reasons[trial] = reason

    def release(self, worker: str) -> None:
        """Put what it held and did not close back in line."""
        self.released.append(worker)
        back = [t for t in self.held.pop(worker, []) if t.number not in self.outcomes]
        self.alone |= {t.number for t in back}
        self.todo = [*back, *self.todo]

    def open(self) -> bool:
        """Whether anything is in line or held."""
        return bool(self.todo) or any(t.number not in self.outcomes for ts in self.held.values() for t in ts)
