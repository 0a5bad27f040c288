"""Who gets which trials."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sweeper.search.pool import Numbering, Pool
from sweeper.search.study import Study
from sweeper.trial import Trial
from tests.search.simulate import MLP, space

TRIALS = 48
ONE_SHAPE = "name: a\noptimizer: {name: adamw, lr: {log: [1e-4, 1e-2]}}\n"


class Mixed:
    """Numbers batches of eight in which a shape has two trials, and the others, for want of new configs, have shapes of their own."""

    def __init__(self) -> None:
        self.unnumbered = TRIALS

    def ask(self, lanes: int = 1, beside: Trial | None = None) -> list[Trial]:  # noqa: ARG002 - the Protocol's signature
        """The next eight."""
        start = TRIALS - self.unnumbered
        if beside is not None:
            return []
        batch = range(start, min(TRIALS, start + 8))
        self.unnumbered -= len(batch)
        return [Trial(number, number, {}, {}, f"{start}" if number < start + 2 else f"{start}.{number}") for number in batch]


STUDIES: dict[str, Callable[[], Numbering]] = {
    **{shapes: partial(Study, space(MLP, sampler="random", shapes=shapes), TRIALS) for shapes in ("auto", "5", "trials")},
    "grown": partial(Study, space(MLP, sampler="tpe"), TRIALS),
    "one": partial(Study, space(ONE_SHAPE, sampler="random"), TRIALS),
    "mixed": Mixed,
}
WORKERS = st.sampled_from(["a", "b", "c"])


class Handing(RuleBasedStateMachine):
    """Workers come, ask, refill, die and come back in any order."""

    @initialize(kind=st.sampled_from(sorted(STUDIES)))
    def start(self, kind: str) -> None:
        """A new sweep."""
        self.study = STUDIES[kind]()
        self.pool = Pool(self.study)
        self.recorded: dict[int, Trial] = {}
        self.held: dict[int, str] = {}
        self.suspects: set[int] = set()
        self.alone: set[int] = set()
        self.closed: set[int] = set()
        self.known: set[str] = set()

    def waiting(self) -> set[int]:
        """Numbered, not closed, in nobody's hands."""
        return self.recorded.keys() - self.held.keys() - self.closed

    def take(self, worker: str, lanes: int, beside: Trial | None = None) -> list[Trial]:
        """Choose, check and hand out, as the desk does."""
        unstarted = len(self.waiting()) + len(self.pool.new) + self.study.unnumbered
        trials = self.pool.choose(worker, lanes, beside)
        assert self.pool.choose(worker, lanes, beside) == trials, "nothing is handed out by choosing"
        assert len(trials) <= max(1, min(lanes, math.ceil(unstarted / len(self.known | {worker}))))
        assert len({trial.shape for trial in trials}) <= 1
        if not trials:
            assert beside is not None or unstarted == 0, "no worker is refused while a trial waits"
            return []
        self.known.add(worker)
        self.recorded.update({trial.number: trial for trial in self.pool.new})
        assert {trial.number for trial in trials} <= self.waiting()
        if self.suspects & {trial.number for trial in trials}:
            assert len(trials) == 1
            assert beside is None
        elif beside is None:
            assert not self.suspects, "suspects come first"
        for trial in trials:
            self.held[trial.number] = worker
            self.suspects.discard(trial.number)
        self.pool.hand(worker, trials)
        assert self.pool.new == []
        return trials

    @rule(worker=WORKERS, lanes=st.integers(1, 9))
    def lease(self, worker: str, lanes: int) -> None:
        """A worker that holds nothing asks for trials."""
        self.lose(worker)
        self.take(worker, lanes)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), lanes=st.integers(1, 9), ends=st.booleans())
    def refill(self, data: st.DataObject, lanes: int, ends: bool) -> None:
        """A worker asks for more of what it trains; the one beside which they shall lie may just have ended."""
        number = data.draw(st.sampled_from(sorted(self.held)))
        worker, beside = self.held[number], self.recorded[number]
        if ends:
            self.close(number)
        trials = self.take(worker, lanes, beside)
        assert {trial.shape for trial in trials} <= {beside.shape}
        if number in self.alone:
            assert trials == []
        else:
            same = [one for one in self.waiting() if self.recorded[one].shape == beside.shape and one not in self.suspects]
            assert trials or not same, "a refill takes what waits of its shape"

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """A trial ends."""
        self.close(data.draw(st.sampled_from(sorted(self.held))))

    def close(self, number: int) -> None:
        """As the desk does."""
        self.pool.close(number)
        del self.held[number]
        self.closed.add(number)

    @rule(worker=WORKERS)
    def lose(self, worker: str) -> None:
        """A worker dies, and what it held is suspect."""
        mine = {number for number, holder in self.held.items() if holder == worker}
        assert self.pool.held_by(worker).keys() == mine
        self.pool.dismiss(worker)
        self.known.discard(worker)
        for number in mine:
            self.pool.suspect(self.recorded[number])
            del self.held[number]
        self.suspects |= mine
        self.alone |= mine

    @invariant()
    def nothing_is_lost(self) -> None:
        """What is recorded is closed, held or waiting, and numbers have no gaps."""
        assert self.recorded.keys() == set(range(len(self.recorded)))

    def teardown(self) -> None:
        """One worker that goes on alone ends the sweep."""
        if not hasattr(self, "pool"):
            return
        for worker in "abc":
            self.lose(worker)
        while self.take("a", 4):
            for number in list(self.held):
                self.close(number)
        assert self.closed == set(range(TRIALS))


Handing.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestHanding = Handing.TestCase


def numbers(trials: list[Trial]) -> list[int]:
    """Their numbers."""
    return [trial.number for trial in trials]


def taken(pool: Pool, worker: str, lanes: int, beside: Trial | None = None) -> list[Trial]:
    """Chosen and handed out."""
    trials = pool.choose(worker, lanes, beside)
    pool.hand(worker, trials)
    return trials


def test_a_worker_stays_with_its_shape_and_another_gets_another() -> None:
    """Two workers with three lanes: each has a block of its own, freed lanes are filled from it, and the next block follows."""
    pool = Pool(Study(space(sampler="random"), 64))
    for number in range(16):
        [trial] = taken(pool, "a", 1)
        assert trial.number == number
        pool.close(number)
    first, second = taken(pool, "a", 3), taken(pool, "b", 3)
    assert (numbers(first), numbers(second)) == ([16, 17, 18], [24, 25, 26])
    assert numbers(taken(pool, "a", 2, first[0])) == [19, 20]
    for number in range(16, 21):
        pool.close(number)
    assert numbers(taken(pool, "a", 2)) == [21, 22]
    assert numbers(taken(pool, "a", 2, first[0])) == [23]
    assert numbers(taken(pool, "c", 3)) == [32, 33, 34]


def test_a_search_that_learns_draws_siblings_as_lanes_are_free() -> None:
    """Two workers have a block each, which grows while they train it; nothing is drawn that nobody trains yet."""
    pool = Pool(Study(space(), 64))
    first, second = taken(pool, "a", 1), taken(pool, "b", 1)
    assert numbers(taken(pool, "a", 7, first[0])) == [2]
    assert numbers(taken(pool, "b", 7, second[0])) == [3]
    pool.close(0)
    assert taken(pool, "a", 1, first[0]) == []
    pool.close(2)
    assert numbers(taken(pool, "a", 1)) == [4]


@pytest.mark.parametrize(("text", "shapes"), [(ONE_SHAPE, "auto"), (MLP, "5")])
def test_where_the_next_batch_has_the_shape_a_refill_is_numbered(text: str, shapes: str) -> None:
    """With one shape, and with a fixed number of them, lanes are filled as long as trials are left."""
    pool = Pool(Study(space(text, sampler="random", shapes=shapes), 64))
    [first] = taken(pool, "a", 1)
    more = taken(pool, "a", 3, first)
    step = 5 if shapes == "5" else 1
    assert numbers(more) == [step, 2 * step, 3 * step]


def test_at_the_end_nobody_is_idle() -> None:
    """The last trials of a shape are shared between its worker and those that find nothing else."""
    pool = Pool(Study(space(sampler="random", shapes=1), 12))
    [first] = taken(pool, "a", 1)
    assert numbers(taken(pool, "b", 8)) == [1, 2, 3, 4, 5, 6]
    assert numbers(taken(pool, "a", 7, first)) == [7, 8, 9]
    assert numbers(taken(pool, "b", 8, first)) == [10]
    assert numbers(taken(pool, "c", 8)) == [11]
    assert taken(pool, "d", 8) == []
