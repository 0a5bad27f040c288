"""What a sweep's range tests found and cost, told from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.config.distributions import Auto
from sweeper.config.space import Space
from sweeper.ledger.records import RangeRecord, TrialRecord
from sweeper.search.brackets import Bracket, Brackets
from sweeper.trial import Outcome

MOST_LINES = 8
"""Brackets that the end of a sweep shows one by one."""


@dataclass(frozen=True, slots=True)
class Range:
    """One range test of a sweep.

    Attributes:
        shape: what was tested, in words: the values that fix the shape.
        bracket: what is searched there, as it is now.
        record: the test.
    """

    shape: str
    bracket: Bracket
    record: RangeRecord

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``, without the curves."""
        finding, now = self.record.finding, self.bracket
        return {
            "test": self.record.digest,
            "shape": self.shape,
            "status": finding.status,
            "sentence": now.sentence,
            "suggestion": now.suggestion,
            "bracket": [now.low, now.high],
            "cached": self.record.cached,
            "cost_steps": finding.cost_steps,
            "seconds": finding.seconds,
        }


@dataclass(frozen=True, slots=True)
class Ranges:
    """All range tests of a sweep.

    Attributes:
        tests: those from which trials were drawn, in the order of the trials.
        widened: a sentence for each edge that moved out.
        cached: how many tests other sweeps had made.
        steps: optimizer steps that this sweep took for its tests.
        seconds: wall time of them.
        made: how many tests this sweep made.
    """

    tests: tuple[Range, ...]
    widened: tuple[str, ...]
    cached: int
    made: int
    steps: int
    seconds: float

    def cost(self) -> str:
        """The tests in a sentence."""
        told = "no range test of its own"
        if self.made:
            told = f"{self.made} range test{'s' if self.made > 1 else ''}, {self.steps:,} steps in {self.seconds:.1f} s"
        return told + (f"; {self.cached} cached, from other sweeps" if self.cached else "")

    def lines(self, most: int | None = None) -> list[str]:
        """A line per bracket (at most so many), and what became of them."""
        shown = [f"{one.shape}: {one.bracket.sentence}" for one in self.tests[:most]]
        hidden = len(self.tests) - len(shown)
        return [*shown, *([f"and {hidden} more"] if hidden else []), *self.widened]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        cost = {"made": self.made, "cached": self.cached, "cost_steps": self.steps, "seconds": self.seconds}
        return {**cost, "tests": [one.as_dict() for one in self.tests], "widened": list(self.widened)}


def ranges_of(space: Space, tests: Sequence[RangeRecord], trials: Sequence[TrialRecord]) -> Ranges | None:
    """What became of the tests of a sweep; None where no learning rate is ``auto``.

    Args:
        space: what it searches.
        tests: its range tests.
        trials: its trials, at least those that have ended.
    """
    if not any(isinstance(leaf.distribution, Auto) for leaf in space.leaves):
        return None
    brackets = Brackets(space, {test.digest: test.finding for test in tests})
    for record in sorted(trials, key=lambda record: record.closed_order or 0):
        if record.outcome is Outcome.COMPLETE and record.best_value is not None:
            brackets.close(record.trial, record.best_value)
    shapes = brackets.shapes(record.trial for record in sorted(trials, key=lambda record: record.number))
    known = {test.digest: test for test in tests}
    made = [test for test in tests if not test.cached]
    return Ranges(
        tests=tuple(Range(words, bracket, known[digest]) for digest, (words, bracket) in shapes.items()),
        widened=tuple(brackets.widened),
        cached=len(tests) - len(made),
        made=len(made),
        steps=sum(test.finding.cost_steps for test in made),
        seconds=sum(test.finding.seconds for test in made),
    )
