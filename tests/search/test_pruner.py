"""Rung tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.config.space import Space
from sweeper.search.keyed import unit
from sweeper.search.pruner import AshaPruner, MedianPruner, NoPruner, Pruner, Table, grace_of, pruner_of, rungs
from sweeper.trial import Continue, Metric, Outcome, Stop, Verdict
from tests.search.simulate import space


class Counted(float):
    """A float that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        Counted.comparisons += 1
        return float(self) < float(other)

    def __rmul__(self, other: float) -> Counted:
        return Counted(other * float(self))


def arrive(pruner: Pruner, number: int, epoch: int, best: float) -> Verdict:
    """A trial comes to an epoch alone, and is judged."""
    pruner.note(number, epoch, best)
    return pruner.judge(number, epoch, best)


def test_rungs_are_powers_of_the_reduction() -> None:
    """Rungs lie at grace * reduction**k, and the last epoch is none."""
    assert rungs(30, 2, 3) == [2, 6, 18]
    assert rungs(18, 2, 3) == [2, 6]
    assert rungs(2, 2, 3) == []


@pytest.mark.parametrize(
    ("text", "grace"),
    [
        ("training: {epochs: 30}", 4),  # a tenth of 30 epochs is warm-up
        ("training: {epochs: 30}\nschedule: {name: warmup_cosine, warmup_fraction: {uniform: [0.0, 0.2]}}", 7),
        ("training: {epochs: 30}\nschedule: {name: constant}", 2),
        ("training: {epochs: 30}\nsearch: {grace_epochs: 1}", 1),
        ("training: {epochs: {choice: [10, 40]}}", 5),
        ("training: {epochs: {choice: [40, 10]}}\nschedule: {name: step, warmup_fraction: {uniform: [0.0, 0.2]}}", 9),
        ("training: {epochs: 30}\nschedule: {name: warmup_cosine, warmup_epochs: 3}", 4),
        ("training: {epochs: 30}\nschedule: {name: warmup_linear, warmup_epochs: {uniform: [0.5, 5.5]}}", 7),
        ("training: {epochs: 30}\nschedule: {name: one_cycle}", 10),
        ("training: {epochs: 30}\nschedule: {choice: [{name: constant}, {name: one_cycle, warmup_fraction: 0.5}]}", 16),
        ("training: {epochs: 30}\nschedule: {name: constant, warmup_steps: 0}", 2),
        ("training: {epochs: 30}\nschedule: {name: constant, warmup_steps: 900}\nsearch: {grace_epochs: 6}", 6),
    ],
)
def test_grace_waits_for_the_warm_up(text: str, grace: int) -> None:
    """No rung lies where the learning rate still climbs, unless it is asked for."""
    space = Space.parse(f"name: a\n{text}\n", "a.yaml")
    longest = 40 if "40" in text else 30
    assert grace_of(space, longest) == grace
    assert min(pruner_of(space).ask_at) == grace


def test_asha_says_why() -> None:
    """The sentences name the epoch, the value, the cutoff and how many go on."""
    pruner = AshaPruner(Metric.VAL_LOSS, 30, 2, 3)
    for number in range(8):
        arrive(pruner, number, 6, 0.3 + number / 100)
    assert arrive(pruner, 8, 6, 0.41) == Stop(
        Outcome.PRUNED, "pruned at epoch 6: val_loss 0.41 is worse than the rung's 0.32 (3 of 9 go on)"
    )
    assert arrive(pruner, 9, 6, 0.31) == Continue("goes on at epoch 6: val_loss 0.31 is not worse than the rung's 0.32 (4 of 10 go on)")
    assert isinstance(arrive(pruner, 8, 7, 9.9), Continue)


@pytest.mark.parametrize("pruner", [AshaPruner(Metric.VAL_LOSS, 30, 2, 3), MedianPruner(Metric.VAL_LOSS, 30, 2)])
def test_trials_that_come_together_are_judged_by_all_values(pruner: Pruner) -> None:
    """Of nine that come to a rung at once, the worst is pruned although it was named first."""
    for number in range(9):
        pruner.note(number, 2, 1.0 - number / 10)
    verdicts = [pruner.judge(number, 2, 1.0 - number / 10) for number in range(9)]
    kept = [number for number, verdict in enumerate(verdicts) if isinstance(verdict, Continue)]
    assert kept == ([6, 7, 8] if isinstance(pruner, AshaPruner) else [4, 5, 6, 7, 8])


def test_asha_works_upwards_for_scores() -> None:
    """For a metric that is maximized the larger values go on."""
    pruner = AshaPruner(Metric.VAL_ACCURACY, 30, 2, 3)
    assert isinstance(arrive(pruner, 0, 2, 0.5), Continue)
    assert isinstance(arrive(pruner, 1, 2, 0.4), Stop)
    assert isinstance(arrive(pruner, 2, 2, 0.6), Continue)


@pytest.mark.parametrize("reduction", [2, 3, 5])
def test_asha_keeps_about_one_in_reduction(reduction: int) -> None:
    """Of 600 trials in random order about 1/reduction pass the rung."""
    pruner = AshaPruner(Metric.VAL_LOSS, 30, 2, reduction)
    kept = sum(isinstance(arrive(pruner, number, 2, unit(number)), Continue) for number in range(600))
    assert kept / 600 == pytest.approx(1 / reduction, abs=0.06)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(-5, 5)), max_size=60))
def test_a_table_holds_the_last_value_of_each_trial_in_order(puts: list[tuple[int, float]]) -> None:
    """Putting again replaces; ranks and the median are those of the sorted values."""
    for metric, reverse in ((Metric.VAL_LOSS, False), (Metric.VAL_ACCURACY, True)):
        table = Table(metric)
        for number, value in puts:
            table.put(number, value)
        last = sorted(dict(puts).values(), reverse=reverse)
        assert [table.nth(index) for index in range(len(table))] == last
        for number, _ in puts:
            table.remove(number)
        assert len(table) == 0


def test_the_median_rule_waits_for_five_others() -> None:
    """The sixth trial at an epoch is the first that may be pruned, and only when worse than the others' median."""
    pruner = MedianPruner(Metric.VAL_LOSS, 30, 2)
    for number in range(5):
        assert isinstance(arrive(pruner, number, 4, 1.0 + number), Continue)
    assert arrive(pruner, 5, 4, 3.5) == Stop(Outcome.PRUNED, "pruned at epoch 4: val_loss 3.5 is worse than the median 3 of 5 trials")
    assert isinstance(arrive(pruner, 6, 4, 2.5), Continue)
    assert isinstance(arrive(pruner, 7, 1, 99.0), Continue)
    assert pruner.ask_at == frozenset(range(2, 30))


@pytest.mark.parametrize("pruner", [AshaPruner(Metric.VAL_LOSS, 30, 2, 3), MedianPruner(Metric.VAL_LOSS, 30, 2)])
def test_a_forgotten_trial_leaves_no_trace(pruner: AshaPruner | MedianPruner) -> None:
    """After forgetting, the others are judged as if the trial had never been there."""
    arrive(pruner, 0, 2, -1e9)
    pruner.forget(0)
    assert isinstance(arrive(pruner, 1, 2, 0.5), Continue)


def test_asha_costs_the_same_whatever_the_number_of_trials() -> None:
    """A judgement among 4,000 trials takes a logarithmic number of comparisons."""

    def costs(pruner: AshaPruner) -> Iterator[int]:
        for number in range(4000):
            Counted.comparisons = 0
            arrive(pruner, number, 2, Counted(unit(number)))
            yield Counted.comparisons

    assert max(costs(AshaPruner(Metric.VAL_LOSS, 30, 2, 3))) <= 16


def test_the_space_names_its_pruner() -> None:
    """``search.pruner`` picks the rule; where epochs are searched, the longest training has the rungs."""
    assert isinstance(pruner_of(space(pruner="none")), NoPruner)
    assert isinstance(
        pruner_of(space("name: a\nschedule: {name: constant, warmup_steps: 9}", pruner="none", grace_epochs="auto")), NoPruner
    )
    assert isinstance(pruner_of(space(pruner="median")), MedianPruner)
    text = "name: a\nmodel: {width: {choice: [32, 64]}}\ntraining: {epochs: {choice: [5, 60]}}\n"
    assert pruner_of(space(text, pruner="asha")).ask_at == {2, 6, 18, 54}
