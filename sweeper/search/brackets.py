"""The learning rates that a sweep searches between: one bracket per shape and optimizer, found by a range test. Pure: no test is made here.

The study cannot draw a trial whose shape has no bracket: it says which test it wants (``Unmeasured``), and goes on when it was told the
finding. A finding is never changed; what it means for the search is a function of it, of the user's own range, and of the trials that
have completed: when the best of them pile up at an edge, that edge of every bracket moves out.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sweeper.config.distributions import Auto, Log, Uniform
from sweeper.config.files import tree_of
from sweeper.config.resolve import digest as digest_of
from sweeper.config.schema import Config
from sweeper.config.space import Leaf, Space, Suggest
from sweeper.search.keyed import Drawable, rounded
from sweeper.trial import Metric, RangeFinding, RangeTest, Scalar, Trial

SEEDS = 3
"""Models of a sweep's range test; the ladder is the command's own."""

WIDER = 4.0
"""Factor by which an edge moves out, 0.6 decades."""
MOST_WIDER = 2
"""So often each edge moves at most: beyond, the test was plainly wrong, and a bracket would be none any more."""
EDGE = 0.15
"""The outer share of a bracket, in decades, in which good trials pile up."""
FEWEST = 8
"""Complete trials before edges are looked at."""
SHARE = 8
"""The best eighth of the complete trials is looked at, three at least. Random trials whose loss falls up to the edge fill as large a share
of the bracket: of the best quarter most would never lie at the edge."""
BEST = 32
"""At most so many of them."""

_SECTIONS = ("task", "model", "init", "optimizer", "training", "augment")
_NOT_TESTED = ("epochs", "patience", "min_delta", "monitor")
"""Keys of ``training`` that a test of so many steps knows nothing of; nor does it follow the schedule."""


class Unmeasured(Exception):  # noqa: N818 - not an error: the test is to be made
    """A trial cannot be drawn before this range test was made."""

    def __init__(self, test: RangeTest) -> None:
        super().__init__(f"range test {test.digest} is wanted")
        self.test = test


@dataclass(frozen=True, slots=True)
class Bracket:
    """What is searched under one shape and optimizer.

    Attributes:
        low: the lowest learning rate.
        high: the highest.
        suggestion: the first to try; between the two.
        sentence: where the bracket comes from, and what the user's own range made of it.
    """

    low: float
    high: float
    suggestion: float
    sentence: str

    def log(self) -> Log:
        """As a distribution."""
        return Log(self.low, self.high)

    def offset(self, lr: float) -> float:
        """Decades between a learning rate and the suggestion: what one shape teaches another, and what moving an edge never changes."""
        return math.log10(lr / self.suggestion)

    def at(self, offset: float) -> float:
        """The learning rate so many decades from the suggestion, within the bracket."""
        return rounded(self.suggestion * 10**offset, self.low, self.high)

    def position(self, lr: float) -> float:
        """Where a learning rate lies, 0 at the low edge and 1 at the high one, in decades."""
        return math.log(lr / self.low) / math.log(self.high / self.low)


def bracket_of(auto: Auto, finding: RangeFinding) -> Bracket:
    """What a finding means for a leaf: cut to the user's own range, if there is one, and replaced where there is nothing to read."""
    own_low, own_high = auto.ends()

    def readable(lr: float) -> float:
        return float(f"{lr:.3g}")  # a rule of thumb has no more digits, and configs are read by people

    where = "your own range" if auto.own else "a decade to each side of the default"
    if finding.bracket is None or finding.suggestion is None:
        return Bracket(own_low, own_high, auto.middle(), f"{finding.sentence}; searching {where}, {own_low:.2g} .. {own_high:.2g}")
    (low, high), measured = map(readable, finding.bracket), readable(finding.suggestion)
    found = f"{low:.2g} .. {high:.2g}"
    if auto.own is None:
        return Bracket(low, high, measured, f"{found}, suggestion {measured:.2g}")
    suggestion = min(max(measured, own_low), own_high)
    told = f"suggestion {suggestion:.2g}" + (f" (moved from {measured:.2g})" if suggestion != measured else "")
    if max(low, own_low) >= min(high, own_high):
        return Bracket(
            own_low,
            own_high,
            suggestion,
            f"{found} lies outside your own range, {own_low:.2g} .. {own_high:.2g}, which is searched; {told}",
        )
    cut = Bracket(max(low, own_low), min(high, own_high), suggestion, f"{found}, within your own range, {told}")
    if (cut.low, cut.high) == (low, high):
        return cut
    return replace(cut, sentence=f"{found}, of which your own range leaves {cut.low:.2g} .. {cut.high:.2g}; {told}")


@dataclass(frozen=True, slots=True)
class Edges:
    """How often the edges of all brackets have moved out.

    Attributes:
        low: the low one.
        high: the high one.
    """

    low: int = 0
    high: int = 0

    def of(self, bracket: Bracket, auto: Auto) -> Bracket:
        """The bracket with its edges moved, never beyond the user's own range."""
        low, high = bracket.low / WIDER**self.low, bracket.high * WIDER**self.high
        if auto.own is not None:
            low, high = max(low, auto.own[0]), min(high, auto.own[1])
        return replace(bracket, low=low, high=high)


@dataclass(frozen=True, slots=True)
class _Done:
    """A complete trial: what its bracket was made of, and its learning rate."""

    auto: Auto
    digest: str
    lr: float


class Brackets:
    """What is known of a sweep's brackets.

    Args:
        space: of the sweep.
        findings: of the range tests that were made, by the test's digest.

    Attributes:
        widened: a sentence for each edge that has moved, in order.
    """

    def __init__(self, space: Space, findings: Mapping[str, RangeFinding] = MappingProxyType({})) -> None:
        self.widened: list[str] = []
        self._space = space
        self._metric: Metric = space.base.search.metric
        self._leaves = {leaf.name: leaf.distribution for leaf in space.leaves if isinstance(leaf.distribution, Auto)}
        # A continuous leaf fixes the shape of a custom model only. Its values never come twice, so that each would want a test of its own.
        self._tested = frozenset(leaf.name for leaf in space.leaves if leaf.structural and not isinstance(leaf.distribution, Uniform | Log))
        self._tests: dict[str, RangeTest] = {}  # by the values that fix the shape
        self._findings = dict(findings)
        self._edges = Edges()
        self._ranked: list[tuple[float, int]] = []  # complete trials by what was gained, the best first
        self._done: dict[int, _Done] = {}

    def take(self, digest: str, finding: RangeFinding) -> None:
        """A test was made; of several findings of one test the first counts."""
        self._findings.setdefault(digest, finding)

    @property
    def known(self) -> int:
        """How many tests were made, by this sweep or another."""
        return len(self._findings)

    def guided(self, suggest: Callable[[Leaf, Drawable], Scalar], place: Callable[[Leaf, Bracket], Scalar]) -> Suggest:
        """For one draw: ``suggest`` answers every leaf but an ``auto`` one, which takes what ``place`` makes of its bracket.

        The bracket is that of the shape that was drawn before. The answer raises ``Unmeasured`` when there is none yet.
        """
        structure: dict[str, Scalar] = {}

        def answer(leaf: Leaf) -> Scalar:
            if isinstance(leaf.distribution, Auto):
                return place(leaf, self.under(leaf.name, structure))
            value = suggest(leaf, leaf.distribution)
            if leaf.name in self._tested:
                structure[leaf.name] = value
            return value

        return answer

    def of(self, trial: Trial) -> Bracket | None:
        """The bracket that a trial's learning rate was drawn from, as it is now; None when that is not ``auto``."""
        name = self._auto(trial.values)
        return None if name is None else self.under(name, trial.values)

    def under(self, name: str, values: Mapping[str, Scalar]) -> Bracket:
        """The bracket of an ``auto`` leaf under a shape.

        Args:
            name: the leaf's.
            values: of the leaves that fix the shape, and maybe of others.

        Raises:
            Unmeasured: its range test is wanted.
        """
        test = self._test(values)
        if test.digest not in self._findings:
            raise Unmeasured(test)
        return self._bracket(self._leaves[name], test.digest)

    def shapes(self, trials: Iterable[Trial]) -> dict[str, tuple[str, Bracket]]:
        """What was tested for these trials, in words, and its bracket as it is now, by the test's digest."""
        found: dict[str, tuple[str, Bracket]] = {}
        for trial in trials:
            name = self._auto(trial.values)
            test = None if name is None else self._test(trial.values)
            if name is not None and test is not None and test.digest in self._findings and test.digest not in found:
                found[test.digest] = test.shape, self._bracket(self._leaves[name], test.digest)
        return found

    def close(self, trial: Trial, value: float) -> None:
        """A trial is complete, with this best value: edges move when the best ones pile up there."""
        name = self._auto(trial.values)
        if name is None:
            return
        self._done[trial.number] = _Done(self._leaves[name], self._test(trial.values).digest, float(trial.values[name]))  # type: ignore[arg-type]
        bisect.insort(self._ranked, (-self._metric.gain(value, over=0.0), trial.number))
        if len(self._ranked) >= FEWEST:
            best = [self._done[number] for _, number in self._ranked[: min(BEST, max(3, len(self._ranked) // SHARE))]]
            self._widen(best, trial.number)

    def _widen(self, best: Sequence[_Done], last: int) -> None:
        """Move an edge at which at least three and more than half of the best trials lie, if it may move for any of them."""
        for edge in ("low", "high"):
            beside = [done for done in best if self._beside(done, edge)]
            moved = replace(self._edges, **{edge: getattr(self._edges, edge) + 1})
            if len(beside) < 3 or 2 * len(beside) <= len(best) or getattr(moved, edge) > MOST_WIDER:
                continue
            if all(self._bracket(done.auto, done.digest) == self._bracket(done.auto, done.digest, moved) for done in beside):
                continue  # the user's own range ends there
            self._edges = moved
            self.widened.append(
                f"after trial {last}, {len(beside)} of the {len(best)} best trials lay at the {edge} edge of their brackets, "
                f"so the {edge} edge of all moved out {WIDER:g} times"
            )

    def _beside(self, done: _Done, edge: str) -> bool:
        position = self._bracket(done.auto, done.digest).position(done.lr)
        return position <= EDGE if edge == "low" else position >= 1 - EDGE

    def _bracket(self, auto: Auto, digest: str, edges: Edges | None = None) -> Bracket:
        return (edges or self._edges).of(bracket_of(auto, self._findings[digest]), auto)

    def _auto(self, values: Mapping[str, Scalar]) -> str | None:
        """The ``auto`` leaf that was drawn; there is one optimizer in a config, so there is one at most."""
        return next((name for name in self._leaves if name in values), None)

    def _test(self, values: Mapping[str, Scalar]) -> RangeTest:
        structure = {name: value for name, value in values.items() if name in self._tested}
        key = json.dumps(structure, sort_keys=True)
        if key not in self._tests:
            config = self._space.under(structure)
            words = ", ".join(f"{name} {value}" for name, value in structure.items()) or f"optimizer {config.optimizer.name}"
            self._tests[key] = RangeTest(_digest(config), tree_of(config), SEEDS, words)
        return self._tests[key]


def _digest(config: Config) -> str:
    """Of what a test depends on: everything but the learning rate itself, the schedule and how long trials are."""
    tree = {name: part for name, part in tree_of(config).items() if name in _SECTIONS}
    tree["optimizer"] = {name: value for name, value in tree["optimizer"].items() if name != "lr"}
    tree["training"] = {name: value for name, value in tree["training"].items() if name not in _NOT_TESTED}
    return digest_of({**tree, "seeds": SEEDS})[:16]
