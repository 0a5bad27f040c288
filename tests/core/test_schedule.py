"""Learning-rate schedules, against the oracles and against torch's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from sweeper.config import schema
from sweeper.config.schema import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmupCosine,
    WarmupLinear,
)
from sweeper.config.space import Space
from sweeper.core import schedule
from sweeper.errors import InputError

EPOCHS, STEPS = 13, 7
TOTAL = EPOCHS * STEPS
ALL = get_args(schema.Schedule)


def rates(config: schema.Schedule, epochs: int = EPOCHS, steps_per_epoch: int = STEPS) -> list[float]:
    """The multiplier of every step."""
    at = schedule.build(config, epochs, steps_per_epoch)
    return [at(step) for step in range(epochs * steps_per_epoch)]


def torchs(make: Callable[[torch.optim.Optimizer], LRScheduler], *, every: int = 1) -> list[float]:
    """The same of a scheduler of torch's, stepped after so many steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for step in range(1, TOTAL + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == 0:
            scheduler.step()
    return found


def after_warmup(steps: int, make: Callable[[torch.optim.Optimizer], LRScheduler]) -> Callable[[torch.optim.Optimizer], LRScheduler]:
    """Torch's linear warm-up of so many steps, then the other scheduler from its beginning."""

    def both(optimizer: torch.optim.Optimizer) -> LRScheduler:
        climb = lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=steps)
        return lr_scheduler.SequentialLR(optimizer, [climb, make(optimizer)], milestones=[steps])

    return both


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.01), (25, 0.00855), (50, 0.00505), (75, 0.00155), (100, 0.0001)])
@pytest.mark.parametrize("config", [Cosine(final_fraction=0.01), WarmupCosine(warmup_fraction=0.0, final_fraction=0.01)])
def test_a_cosine_has_the_oracles_values(config: schema.Schedule, epoch: int, expected: float) -> None:
    """From 0.01 to 0.0001 over 100 epochs, however many steps an epoch has."""
    for steps_per_epoch in (1, 17):
        at = schedule.build(config, 100, steps_per_epoch)
        assert 0.01 * at(epoch * steps_per_epoch) == pytest.approx(expected, abs=5e-6)


def test_a_cosine_is_symmetric() -> None:
    """As much of the decay lies in the first half as in the second; of the decay most texts say that it is late."""
    at = schedule.build(Cosine(), 100, 1)
    assert [at(s) + at(100 - s) for s in range(51)] == pytest.approx([1.0] * 51)
    assert at(0) - at(50) == pytest.approx(at(50) - at(100))


@pytest.mark.parametrize(
    "config", [Step(step_size=30, gamma=0.1), MultiStep(milestones=[30, 60, 90], gamma=0.1)], ids=["step", "multi_step"]
)
def test_a_step_decay_has_the_oracles_values(config: schema.Schedule) -> None:
    """A tenth every 30 epochs: 1 and 29 have the peak, 30 and 59 a tenth, 60 a hundredth; at every step of these epochs."""
    at = schedule.build(config, 100, 17)
    for epoch, expected in [(0, 1.0), (1, 1.0), (29, 1.0), (30, 0.1), (59, 0.1), (60, 0.01), (89, 0.01), (90, 0.001)]:
        assert [at(epoch * 17 + step) for step in (0, 16)] == pytest.approx([expected] * 2)


@pytest.mark.parametrize(("lr", "expected"), [(2.0, [-3.0, 9.0, -27.0]), (0.1, [0.8, 0.64, 0.512])])
def test_gradient_descent_on_a_parabola_goes_as_the_rate_says(lr: float, expected: list[float]) -> None:
    """On x^2 from 1 a rate of 2 diverges by -3 each step and one of 0.1 shrinks by 0.8."""
    x, found = torch.ones(1, requires_grad=True), []
    optimizer = torch.optim.SGD([x], lr=lr)
    at = schedule.build(Constant(), 1, 3)
    for step in range(3):
        optimizer.param_groups[0]["lr"] = lr * at(step)
        optimizer.zero_grad()
        x.square().sum().backward()
        optimizer.step()
        found.append(x.item())
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("config", "make", "every"),
    [
        (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0), 1),
        (Step(step_size=4, gamma=0.3), lambda o: lr_scheduler.StepLR(o, 4, 0.3), STEPS),
        (MultiStep(milestones=[2, 3, 11], gamma=0.5), lambda o: lr_scheduler.MultiStepLR(o, [2, 3, 11], 0.5), STEPS),
        (Exponential(gamma=0.8), lambda o: lr_scheduler.ExponentialLR(o, 0.8 ** (1 / STEPS)), 1),
        (Cosine(final_fraction=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, 0.1), 1),
        (
            CosineRestarts(period=2, multiplier=2, final_fraction=0.05),
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2 * STEPS, 2, 0.05),
            1,
        ),
        (CosineRestarts(period=3, multiplier=1), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3 * STEPS, 1), 1),
        (WarmupLinear(warmup_fraction=0.0, final_fraction=0.2), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, TOTAL), 1),
    ],
    ids=["constant", "step", "multi_step", "exponential", "cosine", "restarts", "restarts-of-one-length", "linear"],
)
def test_each_step_is_torchs(config: schema.Schedule, make: Any, every: int) -> None:
    """Every schedule that torch has too, at every step; those that torch steps by epoch, so stepped."""
    assert rates(config) == pytest.approx(torchs(make, every=every), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("config", "make"),
    [
        (Constant(warmup_steps=9), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        (Exponential(warmup_steps=9, gamma=0.8), lambda o: lr_scheduler.ExponentialLR(o, 0.8 ** (1 / STEPS))),
        (WarmupCosine(warmup_steps=9, final_fraction=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL - 9, 0.1)),
        (Cosine(warmup_epochs=9 / STEPS), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL - 9)),
        (CosineRestarts(warmup_steps=9, period=3), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3 * STEPS, 2)),
        (WarmupLinear(warmup_fraction=0.1), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, TOTAL - 9)),
    ],
    ids=["constant", "exponential", "warmup_cosine", "cosine", "restarts", "warmup_linear"],
)
def test_after_a_warm_up_each_step_is_torchs(config: schema.Schedule, make: Any) -> None:
    """A warm-up of nine steps, said in each of the three ways, as torch's ``SequentialLR`` puts it before another."""
    assert rates(config) == pytest.approx(torchs(after_warmup(9, make)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.1])
@pytest.mark.parametrize(("initial", "final"), [(25.0, 1e4), (10.0, 100.0)])
def test_one_cycle_is_torchs(fraction: float, initial: float, final: float) -> None:
    """At every step, for torch's ``pct_start`` of the same whole number of steps."""
    found = rates(OneCycle(warmup_fraction=fraction, initial_div=initial, final_div=final))
    up = int(fraction * TOTAL)
    assert (found[0], found[up - 1], found[-1]) == pytest.approx((1 / initial, 1.0, 1 / initial / final))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer, 1.0, TOTAL, pct_start=up / TOTAL, div_factor=initial, final_div_factor=final, cycle_momentum=False
    )
    for step, rate in enumerate(found):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate, rel=1e-6, abs=1e-12), step
        optimizer.step()
        if step < TOTAL - 1:
            scheduler.step()


def test_one_cycle_goes_up_for_three_tenths() -> None:
    """Its default, stepped by batch: the peak is the last step of the first 30%."""
    found = rates(OneCycle(), epochs=10, steps_per_epoch=10)
    assert found.index(max(found)) == 29


def test_the_warm_up_climbs_from_a_hundredth_to_the_peak() -> None:
    """Linear over a tenth of the steps, whichever schedule comes after it."""
    for kind in set(ALL) - {OneCycle}:
        at = schedule.build(kind(warmup_fraction=0.1), 10, 10)
        assert [at(0), at(5), at(10)] == pytest.approx([0.01, 0.505, 1.0]), kind


@pytest.mark.parametrize(
    ("ways", "steps"),
    [({"warmup_fraction": 0.25}, 22), ({"warmup_epochs": 2}, 14), ({"warmup_epochs": 0.5}, 3), ({"warmup_steps": 5}, 5), ({}, 0)],
)
def test_a_warm_up_has_as_many_steps_as_was_said(ways: dict[str, float], steps: int) -> None:
    """A share of all steps, epochs or steps, rounded down to whole steps; none unless the schedule is named after it."""
    assert sum(rate < 1 for rate in rates(Constant(**ways))) == steps
    assert rates(WarmupLinear(**ways)).index(1.0) == (steps if ways else int(0.1 * TOTAL))


def test_epochs_that_are_counted_by_number_are_counted_from_the_beginning() -> None:
    """A warm-up moves no milestone, but a cosine has only the steps after it."""
    assert rates(MultiStep(milestones=[4], warmup_epochs=2))[-63:] == pytest.approx(rates(MultiStep(milestones=[4]))[-63:])
    assert rates(Step(step_size=4, warmup_epochs=2))[14:] == pytest.approx(rates(Step(step_size=4))[14:])
    assert rates(Cosine(warmup_epochs=2))[14] == 1.0


def test_a_restart_begins_at_the_peak() -> None:
    """Periods of 2, 4 and 8 epochs."""
    found = rates(CosineRestarts(period=2, multiplier=2), epochs=14)
    peaks = [step for step, rate in enumerate(found) if rate == 1.0]
    assert peaks == [0, 2 * STEPS, 6 * STEPS]


@pytest.mark.parametrize("config", [Constant(), ReduceOnPlateau()])
def test_constant_is_the_peak(config: schema.Schedule) -> None:
    """Every step has the multiplier 1; drops on a plateau are not the step's doing."""
    assert set(rates(config)) == {1.0}


SEARCHED = """
name: a
training:
  scale_lr_with_batch: {choice: [null, 32]}
  scale_lr_rule: {choice: [linear, sqrt], when: {training.scale_lr_with_batch: 32}}
schedule:
  choice:
    - {name: constant, warmup_epochs: {uniform: [0, 3]}}
    - {name: step, step_size: {int: [5, 15]}, gamma: {log: [0.1, 0.9]}}
    - {name: multi_step, milestones: [9, 20], gamma: {uniform: [0.1, 0.5]}}
    - {name: exponential, gamma: {uniform: [0.8, 0.99]}, warmup_fraction: {choice: [null, 0.1]}}
    - {name: cosine, final_fraction: {uniform: [0, 0.1]}}
    - {name: cosine_restarts, period: {int: [1, 10]}, multiplier: {int: [1, 2]}}
    - {name: warmup_cosine, warmup_steps: {int: [0, 90]}}
    - {name: warmup_linear, warmup_fraction: {uniform: [0, 0.3]}}
    - {name: one_cycle, initial_div: {log: [5, 50]}, final_div: {log: [10, 1e5]}}
    - {name: reduce_on_plateau, factor: {log: [0.1, 0.5]}, patience: {int: [1, 5]}, min_fraction: {log: [1e-4, 1e-2]}}
search: {grace_epochs: 4}
"""


def test_every_number_of_every_schedule_can_be_searched() -> None:
    """One space with all of them, each with its own ranges; what it gives at its bounds is trained."""
    space = Space.parse(SEARCHED, "a.yaml")
    found = [config.schedule for config in space.corners()]
    assert {type(one) for one in found} == set(ALL)
    for one in found:
        assert max(rates(one, 30, 5)) == 1.0


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        (WarmupCosine(warmup_steps=91), "schedule.warmup_steps", "91 steps, but training has 91"),
        (Step(warmup_epochs=20.0), "schedule.warmup_epochs", "140 steps, but training has 91"),
    ],
)
def test_a_warm_up_that_never_ends_is_refused(config: schema.Schedule, path: str, words: str) -> None:
    """Where it is not known before the data is."""
    with pytest.raises(InputError) as caught:
        rates(config)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words in problem.found


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.99), st.floats(0, 1), st.integers(1, 500), st.sampled_from([WarmupCosine, WarmupLinear, Cosine]))
def test_a_schedule_rises_to_the_peak_and_falls_to_its_end(warmup: float, final: float, steps: int, kind: Any) -> None:
    """Any fractions and lengths: within bounds, up and then down, and past the end at its final share."""
    at = schedule.build(kind(warmup_fraction=warmup, final_fraction=final), steps, 1)
    values = [at(step) for step in range(steps + 1)]
    top = values.index(max(values))
    assert values[top] == pytest.approx(1.0)
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert at(steps) == at(steps + 10) == pytest.approx(final)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ALL), st.integers(1, 40), st.integers(1, 9), st.data())
def test_no_schedule_leaves_its_bounds(kind: Any, epochs: int, steps_per_epoch: int, drawn: st.DataObject) -> None:
    """Whatever its defaults and the length of training: finite, above or at zero, never above the peak, also past the end."""
    share = drawn.draw(st.floats(0, 0.99))
    at = schedule.build(kind(warmup_fraction=share), epochs, steps_per_epoch)
    values = [at(step) for step in range(epochs * steps_per_epoch + 3)]
    assert all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in values)
