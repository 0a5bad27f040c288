"""A study rebuilt from its record decides as the one that lived through it."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sweeper.config.space import Space
from sweeper.search.past import Past
from sweeper.search.study import Study
from sweeper.trial import Outcome, Report, Stop, Trial
from tests.search.simulate import EPOCHS, report, space

TRIALS = 30
SPACES = {
    (sampler, pruner, shapes): space(sampler=sampler, pruner=pruner, shapes=shapes)
    for sampler in ("random", "tpe")
    for pruner in ("asha", "median", "none")
    for shapes in ("auto", "3", "trials")
}


class Restart(RuleBasedStateMachine):
    """Two studies get the same calls; one of them is thrown away and restored from the record again and again."""

    space: Space

    @initialize(kind=st.sampled_from(sorted(SPACES)))
    def start(self, kind: tuple[str, str, str]) -> None:
        """Both are new."""
        self.space = SPACES[kind]
        self.lived = Study(self.space, TRIALS)
        self.restored = Study(self.space, TRIALS)
        self.live: dict[int, tuple[Trial, list[Report]]] = {}
        self.closed: list[Past] = []

    @rule(data=st.data(), lanes=st.integers(1, 4))
    def ask(self, data: st.DataObject, lanes: int) -> None:
        """Both number the same trials, which wait until they are trained; also those beside a trial that is open."""
        beside = data.draw(st.sampled_from([None, *(trial for trial, _ in self.live.values())]))
        trials = self.lived.ask(lanes, beside)
        assert self.restored.ask(lanes, beside) == trials
        self.live.update({trial.number: (trial, []) for trial in trials})

    @precondition(lambda self: self.live)
    @rule(data=st.data(), lanes=st.integers(1, 5), broken=st.sampled_from([None] * 9 + [math.nan, math.inf]))
    def train(self, data: st.DataObject, lanes: int, broken: float | None) -> None:
        """Both give the same verdicts on epochs of some trials that come in one call, in any interleaving, and close those they stop."""
        numbers = data.draw(st.permutations(sorted(self.live)))[:lanes]
        coming: dict[int, list[Report]] = {}
        for number in numbers:
            trial, reports = self.live[number]
            for value in data.draw(st.lists(st.floats(0, 9), min_size=1, max_size=EPOCHS)):
                epoch = len(reports) + len(coming.setdefault(number, [])) + 1
                if epoch <= EPOCHS:
                    coming[number].append(report(trial, epoch, value, ended="all" if epoch == EPOCHS else None))
        if broken is not None and coming[numbers[0]]:
            coming[numbers[0]][-1] = report(self.live[numbers[0]][0], coming[numbers[0]][-1].epoch, broken)
        order = data.draw(st.permutations([number for number, reports in coming.items() for _ in reports]))
        queues = {number: iter(reports) for number, reports in coming.items()}
        call = [next(queues[number]) for number in order]
        verdicts = self.lived.report(call)
        assert self.restored.report(call) == verdicts
        ended: dict[int, Outcome] = {}
        for item, verdict in zip(call, verdicts, strict=True):
            if item.trial not in ended:
                self.live[item.trial][1].append(item)
                if isinstance(verdict, Stop):
                    ended[item.trial] = verdict.outcome
        for number, outcome in ended.items():
            self.close(number, outcome)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.FAILED, Outcome.CANCELLED]))
    def crash(self, data: st.DataObject, outcome: Outcome) -> None:
        """One trial ends without a verdict."""
        self.close(data.draw(st.sampled_from(sorted(self.live))), outcome)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """One trial's worker dies: it starts again."""
        number = data.draw(st.sampled_from(sorted(self.live)))
        self.live[number] = (self.live[number][0], [])
        self.lived.reopen(number)
        self.restored.reopen(number)

    @rule()
    def restart(self) -> None:
        """One study is rebuilt: closed trials in the order of closing, then the open ones."""
        still = [Past(trial, tuple(reports), None) for trial, reports in self.live.values()]
        self.restored = Study.restore(self.space, TRIALS, [*self.closed, *still])

    @invariant()
    def same_best(self) -> None:
        """Both know the same best trial."""
        assert self.lived.best() == self.restored.best()

    def close(self, number: int, outcome: Outcome) -> None:
        """Both close the trial, and the record keeps it."""
        trial, reports = self.live.pop(number)
        self.closed.append(Past(trial, tuple(reports), outcome))
        self.lived.close(number, outcome)
        self.restored.close(number, outcome)


TestRestart = Restart.TestCase
TestRestart.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_long_tpe_search_goes_on_as_if_never_interrupted() -> None:
    """Past its random start, TPE proposes the same to both, also while siblings are open."""
    found = SPACES[("tpe", "asha", "auto")]
    lived = Study(found, 100)
    closed: list[Past] = []
    still: list[Past] = []
    while len(closed) < 60:
        for trial in lived.ask(3):
            value = (math.log10(trial.config["optimizer"]["lr"]) + 3) ** 2
            reports = (report(trial, 1, value, ended="all" if trial.number % 4 else None),)
            lived.report(reports)
            if trial.number % 4:
                lived.close(trial.number, Outcome.COMPLETE)
                closed.append(Past(trial, reports, Outcome.COMPLETE))
            else:
                still.append(Past(trial, reports, None))
    restored = Study.restore(found, 100, [*closed[::-1], *still])
    assert [restored.ask(2) for _ in range(5)] == [lived.ask(2) for _ in range(5)]
