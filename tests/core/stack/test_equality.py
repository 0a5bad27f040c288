"""A trial gives the same curve alone, in any lane, with any neighbours, refilled late or early, with every technique there is.

The techniques are those of ``techniques.py``; on the representative ones (``THOROUGH``) everything is tried, on each the two strongest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.core import checkpoint
from sweeper.core.loop import train
from sweeper.core.stack import feed, fused
from sweeper.trial import Command, Refill, Report, Trial
from tests.core.driving import CLOCK, GO, PRUNE, curve, of, script
from tests.core.stack.techniques import TECHNIQUES, THOROUGH, Technique, small, trial_of, tried

MakeTrial = Callable[..., Trial]


@pytest.fixture(scope="module")
def courses(make_trial: MakeTrial, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Alone]:
    """The courses of a technique's trials, by its name; the same in all tests."""
    return functools.cache(lambda name: Alone(TECHNIQUES[name], make_trial, tmp_path_factory.mktemp("alone")))


@pytest.fixture
def alone(request: pytest.FixtureRequest, courses: Callable[[str], Alone]) -> Alone:
    """Those of the test's technique."""
    return courses(request.param)


on_each = pytest.mark.parametrize("alone", TECHNIQUES, indirect=True)
on_some = pytest.mark.parametrize("alone", THOROUGH, indirect=True)


class Alone:
    """Each trial's own course, trained alone, once, when it is first asked for."""

    def __init__(self, technique: Technique, make_trial: MakeTrial, folder: Path) -> None:
        self.data, self.technique = small(technique), technique
        self._make, self._folder = make_trial, folder
        self._reports: dict[int, list[Report]] = {}

    def make(self, number: int) -> Trial:
        """The trial of this number: its values, its seed, in the stacked engine."""
        return trial_of(self.technique, self._make, number)

    def reports(self, number: int) -> list[Report]:
        """All of them."""
        if number not in self._reports:
            rounds = script(train([self.make(number)], self.data, device="cpu", checkpoints=self._folder))
            self._reports[number] = of(number, rounds)
        return self._reports[number]

    def __call__(self, rounds: Sequence[Sequence[Report]]) -> None:
        """Holds the rounds against it: bits for layered models, else the tolerance of float32."""
        for number in {report.trial for reports in rounds for report in reports}:
            found = of(number, rounds)
            expected = self.reports(number)[: len(found)]
            if self.technique.layered:
                assert curve(found) == curve(expected), number
            else:
                close(found, expected, max(1e-5, self.technique.tolerance / 10))

    def state(self, number: int, folder: Path) -> None:
        """Holds a trial's checkpoint there against its own."""
        self.reports(number)
        found, expected = checkpoint.load(folder / str(number)), checkpoint.load(self._folder / str(number))
        assert found.epoch == expected.epoch
        assert found.state.keys() == expected.state.keys()
        for name, tensor in expected.state.items():
            assert found.state[name].dtype == tensor.dtype
            if self.technique.layered:
                assert torch.equal(found.state[name], tensor), name


def close(found: Sequence[Report], expected: Sequence[Report], tolerance: float) -> None:
    """Every metric of every epoch."""
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.trial, mine.epoch, mine.ended, mine.metrics.keys()) == (
            theirs.trial,
            theirs.epoch,
            theirs.ended,
            theirs.metrics.keys(),
        )
        for name, value in theirs.metrics.items():
            if name not in CLOCK:
                assert mine.metrics[name] == pytest.approx(value, rel=tolerance, abs=tolerance), (mine.trial, mine.epoch, name)
                assert math.isfinite(value)


@on_each
def test_stacked_equals_plain(alone: Alone) -> None:
    """The same trials as one program and one model after another: every metric of every epoch, to the technique's tolerance."""
    stacked = [alone.make(number) for number in range(4)]
    plain = [replace(trial, config={**trial.config, "training": {**trial.config["training"], "engine": "plain"}}) for trial in stacked]
    found = script(train(stacked, alone.data, device="cpu"))
    expected = script(train(plain, alone.data, device="cpu"))
    assert {(one.how or "").split(":")[0] for rounds in (found, expected) for one in rounds[0]} == {"stacked", "plain"}
    for number in range(4):
        close(of(number, found), of(number, expected), alone.technique.tolerance)


@on_some
@pytest.mark.parametrize("order", ["01", "210", "42031", "75310246"])
def test_a_trial_is_the_same_in_any_lane(alone: Alone, tmp_path: Path, order: str) -> None:
    """Among one, two, four and seven others, in another slot each time: metrics and checkpoint are those of the trial alone."""
    numbers = [int(digit) for digit in order]
    alone(script(train([alone.make(number) for number in numbers], alone.data, device="cpu", checkpoints=tmp_path)))
    for number in numbers:
        alone.state(number, tmp_path)


@on_each
def test_a_trial_is_the_same_refilled_and_after_its_neighbours_have_gone(alone: Alone, tmp_path: Path) -> None:
    """Lanes are refilled in the middle of a trial and at its end, another is dropped, the rest move: every course is the trial's own."""
    rounds = script(
        train([alone.make(number) for number in range(3)], alone.data, device="cpu", checkpoints=tmp_path),
        {1: Refill(alone.make(3))},
        {0: PRUNE, 2: Refill(alone.make(4))},
        {},
        {3: Refill(alone.make(5))},
    )
    assert [sorted((r.trial, r.epoch) for r in reports) for reports in rounds] == [
        [(0, 1), (1, 1), (2, 1)],
        [(0, 2), (2, 2), (3, 1)],
        [(3, 2), (4, 1)],
        [(3, 3), (4, 2)],
        [(4, 3), (5, 1)],
        [(5, 2)],
        [(5, 3)],
    ]
    alone(rounds)
    assert {path.name for path in tmp_path.iterdir()} == {"3", "4", "5"}
    for number in (3, 4, 5):
        alone.state(number, tmp_path)


@on_some
def test_a_diverging_neighbour_changes_no_bit(alone: Alone) -> None:
    """The others' bits are those beside a tame neighbour, also for mapped models; a trial that takes its lane starts clean."""
    tame = [alone.make(number) for number in range(3)]
    config = tame[1].config
    broken = {**config, "optimizer": {**config["optimizer"], "lr": 1e30}, "training": {**config["training"], "clip_norm": None}}
    wild = replace(tame[1], number=9, config=broken)
    beside_tame = script(train(tame, alone.data, device="cpu"))
    beside_wild = script(train([tame[0], wild, tame[2]], alone.data, device="cpu"), {}, {9: Refill(alone.make(3))})
    assert not any(report.finite() for report in of(9, beside_wild))
    for number in (0, 2):
        assert curve(of(number, beside_wild)[:2]) == curve(of(number, beside_tame)[:2])
    alone([[report for report in reports if report.trial != 9] for reports in beside_wild])


def check_among_others(technique: Technique, make_trial: MakeTrial) -> None:
    """Three trials together report what each reports alone."""
    data = small(technique)
    trials = [trial_of(technique, make_trial, number) for number in range(3)]
    together = script(train(trials, data, device="cpu"))
    for trial in trials:
        single = of(trial.number, script(train([trial], data, device="cpu")))
        assert curve(of(trial.number, together)) == curve(single)


def test_a_trial_is_the_same_where_the_data_come_in_pieces(make_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch and a validation part that are larger than what is gathered at a time are cut alike for any number of lanes."""
    monkeypatch.setattr(feed, "LANE_BYTES", 3 * 40 * 256)
    monkeypatch.setattr(fused, "CHUNK_BYTES", 40 * 256)
    check_among_others(TECHNIQUES["dropout-odd"], make_trial)


def test_a_trial_is_the_same_on_two_threads(make_trial: MakeTrial) -> None:
    """A worker with two cores shares a product of these sizes among them where it is one lane's alone."""
    technique = tried(resources={"cpus_per_worker": 2}, model={"width": 512, "depth": 1}, training={"batch_size": 64, "epochs": 1})
    check_among_others(technique, make_trial)


@pytest.fixture(scope="module")
def odd(make_trial: MakeTrial, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """The courses of trials with odd sizes, dropout and clipping."""
    technique = tried(
        model={"dropout": [0.0, 0.5], "width": 13, "norm": "batch"}, training={"batch_size": 19, "clip_norm": [None, 0.1]}, rows=75
    )
    return Alone(technique, make_trial, tmp_path_factory.mktemp("odd"))


@settings(max_examples=30)
@given(drawn=st.data())
def test_whatever_the_commands_every_course_is_the_trials_own(odd: Alone, drawn: st.DataObject) -> None:
    """Any number of lanes, any sequence of Continue, Stop and Refill."""
    waiting = list(range(10))
    training = train([odd.make(waiting.pop(0)) for _ in range(drawn.draw(st.integers(1, 4)))], odd.data, device="cpu")
    rounds = [next(training)]
    while True:
        kinds = [drawn.draw(st.sampled_from(["go on", "go on", "stop", "refill"])) for _ in rounds[-1]]
        answer: list[Command] = []
        for kind in kinds:
            if kind == "refill" and waiting:
                answer.append(Refill(odd.make(waiting.pop(0))))
            else:
                answer.append(GO if kind == "go on" else PRUNE)
        try:
            rounds.append(training.send(answer))
        except StopIteration:
            break
    odd(rounds)
