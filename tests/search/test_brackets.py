"""Learning rates from range tests: what a finding means, where trials are drawn, and when edges move."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from sweeper.config.distributions import Auto
from sweeper.errors import InfrastructureError
from sweeper.search.brackets import WIDER, Brackets, Unmeasured, bracket_of
from sweeper.search.past import Past
from sweeper.search.study import Study
from sweeper.trial import Outcome, RangeFinding, RangeTest, Trial
from tests.search.simulate import falling, follow, peak_lr, report, space

AUTO = """
name: auto
model: {width: {choice: [32, 64]}, dropout: {uniform: [0.0, 0.5], default: 0.1}}
optimizer:
  choice:
    - {name: adamw, lr: auto, weight_decay: {log: [1e-4, 1e-1]}}
    - {name: sgd, lr: auto}
training: {epochs: 20}
"""

FLAT = "name: flat\nmodel: {dropout: {uniform: [0.0, 0.5]}}\noptimizer: {name: adamw, lr: auto}\ntraining: {epochs: 20}\n"

OK = RangeFinding("ok", "fine", 1e-2, (1e-3, 1e-1), 300, 0.5)
NOTHING = RangeFinding("no_usable_region", "nothing lowered the loss")

Answer = Callable[[RangeTest], RangeFinding]


def answered(study: Study, answer: Answer = lambda _: OK, lanes: int = 1) -> list[Trial]:
    """What the study numbers next; the tests that it wants first are answered."""
    while True:
        try:
            return study.ask(lanes)
        except Unmeasured as wanted:
            study.brackets.take(wanted.test.digest, answer(wanted.test))


def noted(tests: list[RangeTest]) -> Answer:
    """An answer that keeps what it was asked."""

    def answer(test: RangeTest) -> RangeFinding:
        tests.append(test)
        return OK

    return answer


def everything(study: Study, answer: Answer = lambda _: OK) -> list[Trial]:
    """All trials, none of them trained."""
    trials: list[Trial] = []
    while more := answered(study, answer):
        trials += more
    return trials


def trained(study: Study, best_lr: float, answer: Answer = lambda _: OK) -> list[Past]:
    """A whole sweep, one trial after another, whose loss is a bowl around this learning rate."""
    past: list[Past] = []
    while asked := answered(study, answer):
        for trial in asked:
            reports, verdict = follow(study, trial, lambda t, epoch: (math.log10(peak_lr(t) / best_lr)) ** 2 + 1 / epoch)
            past.append(Past(trial, tuple(reports), verdict.outcome))
    return past


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_nothing_is_numbered_before_its_test(sampler: str) -> None:
    """The study wants the test of the default config first, and its suggestion is the first trial."""
    study = Study(space(AUTO, sampler=sampler), 8)
    for _ in range(2):
        with pytest.raises(Unmeasured) as wanted:
            study.ask()
        assert study.unnumbered == 8
    config = wanted.value.test.config
    assert (config["optimizer"]["name"], config["model"]["width"], config["model"]["dropout"]) == ("adamw", 32, 0.1)
    first, *_ = answered(study)
    assert (first.values["optimizer"], first.values["model.width"], first.values["model.dropout"]) == ("adamw", 32, 0.1)
    assert peak_lr(first) == 1e-2


CUSTOM = """
name: custom
model: {family: custom, path: "nets:build", params: {width: {choice: [32, 64]}, p: {uniform: [0.0, 0.4]}}}
optimizer: {name: adamw, lr: auto}
"""


def test_continuous_params_of_a_custom_model_share_a_test() -> None:
    """All params fix its shape, but a test per value of a continuous one would be a test per shape that is ever drawn."""
    wanted: list[RangeTest] = []
    trials = everything(Study(space(CUSTOM, sampler="random"), 24), noted(wanted))
    assert len({trial.shape for trial in trials}) > 2
    assert sorted(test.config["model"]["params"]["width"] for test in wanted) == [32, 64]
    assert {test.config["model"]["params"]["p"] for test in wanted} == {0.2}


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_each_shape_and_optimizer_has_its_bracket(sampler: str) -> None:
    """A test per width and optimizer, and every learning rate lies in the bracket of its own."""

    def answer(test: RangeTest) -> RangeFinding:
        low = {"adamw": 1e-4, "sgd": 1e-2}[test.config["optimizer"]["name"]] * test.config["model"]["width"]
        seen.append(low)
        return RangeFinding("ok", "fine", low * 3, (low, low * 10))

    seen: list[float] = []
    trials = everything(Study(space(AUTO, sampler=sampler), 48), answer)
    assert len(seen) == len(set(seen)) == 4
    for trial in trials:
        low = {"adamw": 1e-4, "sgd": 1e-2}[str(trial.values["optimizer"])] * trial.config["model"]["width"]
        assert low <= peak_lr(trial) <= low * 10
    assert len({peak_lr(trial) for trial in trials}) > 40


def test_other_keys_are_drawn_as_without_auto() -> None:
    """The bracket decides about the learning rate alone, and only its place in the bracket is random."""
    plain, auto = space(AUTO.replace("lr: auto", "lr: {log: [1e-3, 1e-1]}"), sampler="random"), space(AUTO, sampler="random")
    log, brackets = everything(Study(plain, 24))[1:], everything(Study(auto, 24))[1:]
    assert [trial.values for trial in log] == [trial.values for trial in brackets]


def test_what_the_test_does_not_depend_on_is_not_tested_twice() -> None:
    """Shapes that differ in the schedule or in the number of epochs share a bracket."""
    text = FLAT.replace("epochs: 20", "epochs: {choice: [10, 20]}") + "schedule: {choice: [{name: constant}, {name: cosine}]}\n"
    tests: list[RangeTest] = []
    trials = everything(Study(space(text, sampler="random"), 32), noted(tests))
    assert len({trial.shape for trial in trials}) > 1
    assert len(tests) == 1


def test_a_default_of_ones_own_is_the_first_trial() -> None:
    """Whoever writes default: beside auto gets that learning rate first."""
    text = FLAT.replace("auto", "{auto: [1e-3, 1e-1], default: 0.05}")
    [first] = answered(Study(space(text), 4))
    assert peak_lr(first) == 0.05


@pytest.mark.parametrize(
    ("own", "finding", "low", "high", "suggestion", "words"),
    [
        (None, OK, 1e-3, 1e-1, 1e-2, "0.001 .. 0.1, suggestion 0.01"),
        ((1e-5, 1.0), OK, 1e-3, 1e-1, 1e-2, "within your own range"),
        ((5e-3, 5e-2), OK, 5e-3, 5e-2, 1e-2, "of which your own range leaves 0.005 .. 0.05"),
        ((2e-2, 1.0), OK, 2e-2, 1e-1, 2e-2, "moved from 0.01"),
        ((1e-6, 1e-4), OK, 1e-6, 1e-4, 1e-4, "lies outside your own range, 1e-06 .. 0.0001, which is searched"),
        ((1e-6, 1e-2), NOTHING, 1e-6, 1e-2, 1e-3, "nothing lowered the loss; searching your own range"),
        (None, NOTHING, 1e-4, 1e-2, 1e-3, "nothing lowered the loss; searching a decade to each side of the default"),
    ],
)
def test_what_a_finding_means(
    own: tuple[float, float] | None, finding: RangeFinding, low: float, high: float, suggestion: float, words: str
) -> None:
    """The bracket is cut to the user's own range, never silently; where there is nothing to read, that range or the default's is taken."""
    found = bracket_of(Auto(1e-3, own), finding)
    assert (found.low, found.high, found.suggestion) == pytest.approx((low, high, suggestion))
    assert words in found.sentence


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize(("best_lr", "edge"), [(1.0, "high"), (1e-4, "low")])
def test_an_edge_at_which_good_trials_pile_up_moves_out(sampler: str, best_lr: float, edge: str) -> None:
    """The best lie beyond the bracket: the search follows them, a few times at most, and says so."""
    study = Study(space(FLAT, sampler=sampler, pruner="none"), 80)
    past = trained(study, best_lr)
    assert study.brackets.widened
    assert all(f"the {edge} edge of all moved out 4 times" in sentence for sentence in study.brackets.widened)
    bracket = study.brackets.of(past[-1].trial)
    assert bracket is not None
    assert (bracket.low, bracket.high) == ((1e-3, 1e-1 * WIDER**2) if edge == "high" else (1e-3 / WIDER**2, 1e-1))
    rates = [peak_lr(one.trial) for one in past]
    assert max(rates) > 1e-1 if edge == "high" else min(rates) < 1e-3


def test_no_edge_moves_where_the_best_lie_within() -> None:
    """Nor beyond the user's own range."""
    inside = Study(space(FLAT, sampler="random", pruner="none"), 60)
    trained(inside, 1e-2)
    own = Study(space(FLAT.replace("auto", "{auto: [1e-3, 1e-1]}"), sampler="random", pruner="none"), 60)
    past = trained(own, 10.0)
    assert (inside.brackets.widened, own.brackets.widened) == ([], [])
    assert max(peak_lr(one.trial) for one in past) <= 1e-1


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_restored_study_goes_on_as_one_that_lived(sampler: str) -> None:
    """With brackets, some of them moved, and the findings on record."""
    found = space(AUTO, sampler=sampler, pruner="none")
    lived = Study(found, 80)
    findings: dict[str, RangeFinding] = {}

    def answer(test: RangeTest) -> RangeFinding:
        findings[test.digest] = OK
        return OK

    past: list[Past] = []
    while len(past) < 48:
        for trial in answered(lived, answer):
            reports, verdict = follow(lived, trial, lambda t, epoch: (math.log10(peak_lr(t))) ** 2 + 1 / epoch)
            past.append(Past(trial, tuple(reports), verdict.outcome))
    assert lived.brackets.widened
    restored = Study.restore(found, 80, past, findings)
    assert restored.brackets.widened == lived.brackets.widened
    assert everything(restored, answer) == everything(lived, answer)
    with pytest.raises(InfrastructureError, match="range test"):
        Study.restore(space(AUTO, sampler="tpe"), 80, past)


def test_tpe_learns_on_one_shape_what_helps_on_another() -> None:
    """Optima that lie as far from each shape's own suggestion are found although the learning rates are decades apart."""
    text = FLAT.replace("model: {", "model: {width: {choice: [16, 32, 64, 128]}, ")

    def answer(test: RangeTest) -> RangeFinding:
        scale = test.config["model"]["width"] / 1e4
        return RangeFinding("ok", "fine", scale, (scale / 10, scale * 10))

    study = Study(space(text, sampler="tpe", pruner="none"), 96)
    while asked := answered(study, answer):
        for trial in asked:
            best = trial.config["model"]["width"] / 1e4 * 3
            follow(study, trial, lambda t, epoch, best=best: (math.log10(peak_lr(t) / best)) ** 2 + 1 / epoch)
        late = asked
    distances = [abs(math.log10(peak_lr(trial) / (trial.config["model"]["width"] / 1e4 * 3))) for trial in late]
    assert sorted(distances)[len(distances) // 2] < 0.25


def test_failed_and_pruned_trials_move_no_edge() -> None:
    """Only what completed is known to be good."""
    brackets = Brackets(found := space(FLAT, sampler="random"))
    study = Study(found, 4)
    [trial] = answered(study)
    study.report([report(trial, 1, falling(trial, 1))])
    study.close(trial.number, Outcome.FAILED)
    assert brackets.widened == study.brackets.widened == []
    assert study.brackets.of(trial) == bracket_of(Auto(1e-3), OK)
