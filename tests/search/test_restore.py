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
    (sampler, pruner): space(sampler=sampler, pruner=pruner) for sampler in ("random", "tpe") for pruner in ("asha", "median", "none")
}


class Restart(RuleBasedStateMachine):
    """Two studies get the same calls; one of them is thrown away and restored from the record again and again."""

    space: Space

    @initialize(kind=st.sampled_from(sorted(SPACES)))
    def start(self, kind: tuple[str, str]) -> None:
        """Both are new."""
        self.space = SPACES[kind]
        self.lived = Study(self.space, TRIALS)
        self.restored = Study(self.space, TRIALS)
        self.live: dict[int, tuple[Trial, list[Report]]] = {}
        self.closed: list[Past] = []

    @rule(limit=st.integers(1, 4))
    def ask(self, limit: int) -> None:
        """Both number the same trials."""
        trials = self.lived.ask(limit)
        assert self.restored.ask(limit) == trials
        self.live.update({trial.number: (trial, []) for trial in trials})

    @precondition(lambda self: self.live)
    @rule(
        data=st.data(),
        values=st.lists(st.floats(0, 9), min_size=1, max_size=EPOCHS),
        broken=st.sampled_from([None] * 9 + [math.nan, math.inf]),
    )
    def train(self, data: st.DataObject, values: list[float], broken: float | None) -> None:
        """Both give the same verdicts on some epochs of one trial, and close it when they say so."""
        number = data.draw(st.sampled_from(sorted(self.live)))
        trial, reports = self.live[number]
        for value in values if broken is None else [*values[:-1], broken]:
            epoch = len(reports) + 1
            reports.append(report(trial, epoch, value, ended="all" if epoch == EPOCHS else None))
            verdict = self.lived.report(reports[-1])
            assert self.restored.report(reports[-1]) == verdict
            if isinstance(verdict, Stop):
                self.close(number, verdict.outcome)
                return

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
    found = SPACES[("tpe", "asha")]
    lived = Study(found, 60)
    closed: list[Past] = []
    still: list[Past] = []
    while len(closed) < 40:
        for trial in lived.ask(3):
            value = (math.log10(trial.config["optimizer"]["lr"]) + 3) ** 2
            reports = (report(trial, 1, value, ended="all" if trial.number % 4 else None),)
            lived.report(reports[0])
            if trial.number % 4:
                lived.close(trial.number, Outcome.COMPLETE)
                closed.append(Past(trial, reports, Outcome.COMPLETE))
            else:
                still.append(Past(trial, reports, None))
    restored = Study.restore(found, 60, [*closed[::-1], *still])
    assert [restored.ask(2) for _ in range(5)] == [lived.ask(2) for _ in range(5)]
