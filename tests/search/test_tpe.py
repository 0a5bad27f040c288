"""TPE by Optuna, and Optuna studies rebuilt from our records."""

from __future__ import annotations

import math
import statistics

import optuna
import pytest
from optuna.trial import TrialState

from sweeper.search.past import Past
from sweeper.search.study import Study
from sweeper.search.tpe import rebuild
from sweeper.trial import Outcome, Stop, Trial
from tests.search.simulate import EPOCHS, all_trials, falling, peak_lr, report, search, space, tell

FLAT = """
name: bowl
model: {dropout: {uniform: [0.0, 0.5]}}
optimizer: {name: adamw, lr: {log: [1e-8, 1e2]}, weight_decay: {log: [1e-6, 1.0]}}
training: {epochs: 2, label_smoothing: {uniform: [0.0, 0.5]}}
"""


def bowl(trial: Trial, epoch: int) -> float:
    """A quadratic in four parameters, lowest at lr 1e-5, decay 0.1, dropout 0.4 and smoothing 0.1."""
    decay = math.log10(float(trial.config["optimizer"]["weight_decay"]))
    dropout, smoothing = trial.config["model"]["dropout"], trial.config["training"]["label_smoothing"]
    lr = math.log10(peak_lr(trial))
    return float(((lr + 5) / 2) ** 2 + (decay + 1) ** 2 + (10 * (dropout - 0.4)) ** 2 + (10 * (smoothing - 0.1)) ** 2)


def test_tpe_beats_random_search() -> None:
    """On a quadratic bowl the median best of 60 trials over five seeds is at most half of random search's."""
    best: dict[str, list[float]] = {"random": [], "tpe": []}
    for sampler, values in best.items():
        for seed in range(5):
            study = Study(space(FLAT, sampler=sampler, seed=seed, pruner="none"), 60)
            search(study, bowl, epochs=2)
            found = study.best()
            assert found is not None
            values.append(found.value)
    assert statistics.median(best["tpe"]) < statistics.median(best["random"]) / 2


def test_tpe_learns_from_divergence() -> None:
    """Where seven of ten learning rates diverge, TPE is soon among the others: told as failed, it would not be."""

    def cliff(trial: Trial, epoch: int) -> float:
        return math.nan if peak_lr(trial) > 1e-5 else float(trial.config["model"]["dropout"])

    diverged = [0, 0]
    for seed in range(4):
        past = search(Study(space(FLAT, sampler="tpe", seed=seed, pruner="none"), 40), cliff, epochs=2)
        for record in past:
            diverged[record.trial.number // 20] += record.outcome is Outcome.DIVERGED
    assert diverged[1] < 0.6 * diverged[0]


def test_conditions_and_sub_trees_go_through_tpe() -> None:
    """Each trial has the parameters of its own optimizer and norm, and no others."""
    past = search(Study(space(sampler="tpe", seed=1), 60), falling, lanes=4)
    for record in past:
        values = record.trial.values
        assert ("optimizer.adamw.lr" in values) == (values["optimizer"] == "adamw")
        assert ("optimizer.sgd.momentum" in values) == (values["optimizer"] == "sgd")
        assert ("model.dropout" in values) == (values["model.norm"] != "batch")
    assert {record.trial.values["optimizer"] for record in past} == {"adamw", "sgd"}


def test_siblings_asked_at_once_differ() -> None:
    """Trials of one lease, none of which has reported, do not sit on top of each other."""
    study = Study(space(sampler="tpe", pruner="none"), 60)
    past = search(study, falling, lanes=8)
    last = [record.trial for record in past if record.trial.block == 13]
    lrs = sorted(math.log10(peak_lr(trial)) for trial in last)
    assert len({round(lr, 3) for lr in lrs}) == 8


def test_the_best_shape_is_opened_again() -> None:
    """After eight random shapes every fifth block has the shape of the best complete trial before it, of any metric."""
    for metric, sign in (("val_loss", 1.0), ("val_accuracy", -1.0)):
        study = Study(space(sampler="tpe", pruner="none", metric=metric), 60)
        closed: dict[int, tuple[float, int, str]] = {}
        while trials := study.ask(8):
            if trials[0].block in (8, 13, 18):
                assert len(trials) == 8
                assert {trial.shape for trial in trials} == {min(closed.values())[2]}
            for trial in trials:
                cost = falling(trial, EPOCHS) + abs(float(trial.config["model"]["depth"]) - 3)
                last = report(trial, EPOCHS, 1.0, **{metric: sign * cost}, ended="all")
                verdict = tell(study, last)
                assert isinstance(verdict, Stop)
                outcome = Outcome.FAILED if trial.number == 9 else verdict.outcome
                study.close(trial.number, outcome)
                if outcome is Outcome.COMPLETE:
                    closed[trial.number] = (cost, trial.number, trial.shape)
        assert len({shape for _, _, shape in closed.values()}) > 8


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_outcomes_in_optuna(sampler: str) -> None:
    """Complete has its best value, pruned and diverged are PRUNED with their finite values, crashes FAIL, open ones RUNNING."""
    found = space(sampler=sampler, pruner="none")
    trials = all_trials(Study(found, 6))
    curves = [[0.5, 0.2, 0.3], [0.9, 0.8], [0.7, math.nan], [0.6], [0.6], [0.4]]
    ends = [Outcome.COMPLETE, Outcome.PRUNED, Outcome.DIVERGED, Outcome.FAILED, Outcome.CANCELLED, None]
    past = [
        Past(trial, tuple(report(trial, epoch, value) for epoch, value in enumerate(values, 1)), outcome)
        for trial, values, outcome in zip(trials, curves, ends, strict=True)
    ]
    study = rebuild(found, past[::-1])
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL, TrialState.RUNNING]
    assert [trial.state for trial in study.trials] == states
    assert [trial.params for trial in study.trials] == [dict(trial.values) for trial in trials]
    assert study.trials[0].value == study.best_value == 0.2
    assert study.trials[0].intermediate_values == {1: 0.5, 2: 0.2, 3: 0.3}
    assert study.trials[1].intermediate_values == {1: 0.9, 2: 0.8}
    assert study.trials[2].intermediate_values == {1: 0.7}
    assert study.direction is optuna.study.StudyDirection.MINIMIZE


def test_a_diverged_trial_without_any_finite_value_is_pruned_in_optuna() -> None:
    """Optuna accepts a trial that broke in its first epoch, as PRUNED without a value."""
    found = space(sampler="tpe")
    (trial,) = Study(found, 1).ask()
    study = rebuild(found, [Past(trial, (report(trial, 1, math.inf),), Outcome.DIVERGED)])
    assert study.trials[0].state is TrialState.PRUNED
    assert study.trials[0].value is None


def test_optuna_is_quiet_and_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    """A search prints nothing and does not change how much Optuna logs elsewhere."""
    before = optuna.logging.get_verbosity()
    search(Study(space(sampler="tpe"), 20), falling)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
