"""What every sampler and every pruner must do: the study's contract."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import InfrastructureError, StaleWriterError
from sweeper.search.past import Past
from sweeper.search.study import Study
from sweeper.trial import Continue, Outcome, Stop
from tests.search.simulate import EPOCHS, all_trials, falling, follow, outcomes, peak_lr, report, search, space, tell

SAMPLERS = ["random", "tpe"]
PRUNERS = ["asha", "median", "none"]

each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)
each_pruner = pytest.mark.parametrize("pruner", PRUNERS)


@each_sampler
@given(limits=st.lists(st.integers(1, 9), min_size=1, max_size=12), total=st.integers(1, 30))
def test_trials_are_numbered_without_gaps(sampler: str, limits: list[int], total: int) -> None:
    """However they are asked for, the numbers are 0 to N-1, and then there is nothing more."""
    study = Study(space(sampler=sampler), total)
    trials = all_trials(study, limits)
    assert [trial.number for trial in trials] == list(range(total))
    assert study.ask(3) == []


@each_sampler
@each_pruner
def test_a_whole_search_ends(sampler: str, pruner: str) -> None:
    """Four workers with three lanes finish every trial; leases share a shape; the best is the best complete one."""
    study = Study(space(sampler=sampler, pruner=pruner), 40)
    past = search(study, falling, workers=4, lanes=3)
    complete = [record for record in past if record.outcome is Outcome.COMPLETE]
    assert sorted(record.trial.number for record in past) == list(range(40))
    assert len(complete) == 40 if pruner == "none" else 0 < len(complete) < 40
    best = study.best()
    assert best is not None
    assert best.value == min(falling(record.trial, EPOCHS) for record in complete)
    assert (best.epoch, best.metrics["val_loss"]) == (EPOCHS, best.value)


@each_sampler
@each_pruner
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_non_finite_value_is_divergence_and_nothing_else(sampler: str, pruner: str, broken: float) -> None:
    """Whatever breaks and whenever, the trial is DIVERGED, never best, and the others are pruned as ever."""

    def curve(trial: object, epoch: int) -> float:
        return broken if trial.number % 3 == 0 and epoch > trial.number % 5 else falling(trial, epoch)  # type: ignore[attr-defined,arg-type]

    study = Study(space(sampler=sampler, pruner=pruner), 40)
    past = search(study, curve)
    ends = outcomes(past)
    for number in range(0, 40, 3):
        assert ends[number] is not Outcome.COMPLETE
        assert ends[number] is Outcome.DIVERGED or number % 5 >= 2  # it may have been pruned before it broke
    best = study.best()
    assert best is not None
    assert best.trial.number % 3
    assert math.isfinite(best.value)
    if pruner != "none":
        assert ends.count(Outcome.PRUNED) > 8


def test_divergence_names_what_broke() -> None:
    """The sentence names the epoch and the metric that is not finite; a training loss counts as well."""
    first, second, third = all_trials(study := Study(space(sampler="random"), 3))
    assert tell(study, report(first, 3, math.nan)) == Stop(Outcome.DIVERGED, "diverged at epoch 3: val_loss is nan")
    assert tell(study, report(second, 1, 0.5, train_loss=math.inf)) == Stop(Outcome.DIVERGED, "diverged at epoch 1: train_loss is inf")
    assert tell(study, report(third, 20, math.inf, ended="all 20 epochs")) == Stop(
        Outcome.DIVERGED, "diverged at epoch 20: val_loss is inf"
    )


def test_training_that_ended_by_itself_is_complete() -> None:
    """A report that says ``ended`` completes the trial, also where the pruner would have stopped it."""
    study = Study(space(sampler="random"), 2)
    first, second = study.ask(2)
    assert isinstance(tell(study, report(first, 2, 0.1)), Continue)
    verdict = tell(study, report(second, 2, 0.9, ended="no improvement since epoch 1"))
    assert verdict == Stop(Outcome.COMPLETE, "complete at epoch 2: no improvement since epoch 1")


@each_pruner
def test_questions_are_asked_where_the_pruner_decides(pruner: str) -> None:
    """Between the epochs of ``ask_at`` nothing finite is ever stopped."""
    study = Study(space(sampler="random", pruner=pruner), 40)
    for record in search(study, falling):
        if record.outcome is Outcome.PRUNED:
            assert record.reports[-1].epoch in study.ask_at


def test_best_goes_by_the_best_epoch() -> None:
    """A trial counts with its best epoch, not with its last; of equals, the lower number wins whatever the order of closing."""
    study = Study(space(sampler="random", pruner="none"), 3)
    trials = all_trials(study)
    for trial, values in zip(reversed(trials), ([0.5, 0.4, 0.45], [0.3, 0.2, 0.9], [0.7, 0.9, 0.2]), strict=True):
        for epoch, value in enumerate(values, start=1):
            tell(study, report(trial, epoch, value, ended="all" if epoch == 3 else None))
        assert study.best_of(trial.number) == (min(values), values.index(min(values)) + 1)
        study.close(trial.number, Outcome.COMPLETE)
    best = study.best()
    assert best is not None
    assert (best.trial.number, best.value, best.epoch) == (0, 0.2, 3)


def test_only_complete_trials_can_be_best() -> None:
    """Failed, cancelled and pruned trials are never best, however low they were."""
    study = Study(space(sampler="random", pruner="none"), 4)
    for trial, outcome in zip(all_trials(study), (Outcome.FAILED, Outcome.CANCELLED, Outcome.PRUNED, Outcome.DIVERGED), strict=True):
        tell(study, report(trial, 1, -100.0))
        study.close(trial.number, outcome)
    assert study.best() is None


def test_a_lost_attempt_leaves_no_trace() -> None:
    """After reopening, the trial's earlier reports count neither for others nor for itself."""
    study = Study(space(sampler="random"), 2)
    first, second = study.ask(2)
    tell(study, report(first, 1, 0.01))
    tell(study, report(first, 2, 0.01))
    study.reopen(first.number)
    assert study.best_of(first.number) is None
    assert isinstance(tell(study, report(second, 2, 0.5)), Continue)
    assert isinstance(tell(study, report(first, 2, 0.6)), Stop)


def test_a_report_twice_is_a_report_once() -> None:
    """A report that arrives again gets the same verdict and changes nothing for others."""
    first, second, third = all_trials(study := Study(space(sampler="random"), 3))
    tell(study, report(first, 2, 0.5))
    assert tell(study, report(second, 2, 0.4)) == tell(study, report(second, 2, 0.4))
    assert isinstance(tell(study, report(third, 2, 0.45)), Stop)


def test_what_follows_a_stop_in_the_same_call_never_was() -> None:
    """A trial that is pruned at one rung has no value at the next, nor a best one from there, though its worker went on for a while."""
    study = Study(space(sampler="random"), 2)
    first, second = study.ask(2)
    low, *high = [report(first, 2, 0.1), report(second, 2, 0.9), report(second, 6, 0.01)]
    verdicts = study.report([low, *high])
    assert [isinstance(verdict, Stop) for verdict in verdicts] == [False, True, False]
    assert study.best_of(second.number) == (0.9, 2)
    assert isinstance(tell(study, report(first, 6, 0.1)), Continue)


def test_a_call_with_a_closed_trial_is_refused_as_a_whole() -> None:
    """Of the other trials' reports nothing is taken."""
    study = Study(space(sampler="random"), 2)
    first, second = study.ask(2)
    study.close(second.number, Outcome.FAILED)
    with pytest.raises(StaleWriterError, match="trial 1 is not open"):
        study.report([report(first, 1, 0.5), report(second, 1, 0.5)])
    assert study.best_of(first.number) is None


@each_sampler
def test_closed_trials_take_no_more_reports(sampler: str) -> None:
    """Reports, closes and reopens of a trial that is not open are refused."""
    study = Study(space(sampler=sampler, shapes="trials"), 2)
    (trial,) = study.ask()
    follow(study, trial, falling)
    for late in (
        lambda: tell(study, report(trial, 1, 0.5)),
        lambda: study.close(trial.number, Outcome.FAILED),
        lambda: study.reopen(trial.number),
        lambda: study.best_of(1),
    ):
        with pytest.raises(StaleWriterError, match="not open"):
            late()


def test_complete_without_a_value_is_refused() -> None:
    """Nobody may call a trial complete that never had a finite value."""
    study = Study(space(sampler="tpe"), 1)
    (trial,) = study.ask()
    with pytest.raises(InfrastructureError, match="without any finite"):
        study.close(trial.number, Outcome.COMPLETE)


def test_a_gap_in_the_record_is_refused() -> None:
    """A study is not restored from a record in which a trial is missing."""
    found = space(sampler="random")
    trials = all_trials(Study(found, 3))
    with pytest.raises(InfrastructureError, match="missing or double"):
        Study.restore(found, 3, [Past(trials[0], (), None), Past(trials[2], (), None)])


def test_a_score_is_searched_upwards() -> None:
    """With an accuracy as metric the highest complete trial is best."""
    study = Study(space(sampler="tpe", metric="val_accuracy", shapes="trials"), 24)
    while trials := study.ask():
        for epoch in range(1, EPOCHS + 1):
            score = 1 - abs(math.log10(peak_lr(trials[0])) + 2) / 10
            verdict = tell(study, report(trials[0], epoch, 1.0, val_accuracy=score, ended="all" if epoch == EPOCHS else None))
            if isinstance(verdict, Stop):
                study.close(trials[0].number, verdict.outcome)
                break
    best = study.best()
    assert best is not None
    assert best.value > 0.95
