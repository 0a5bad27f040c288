"""The core as the runners see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from sweeper.core import trainer
from sweeper.core.loop import train
from sweeper.core.stack import choose
from sweeper.core.stack.choose import Choice
from sweeper.core.trainer import Trainer
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.trial import Refill, Trial
from tests.core.driving import curve, cut, of, script


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Dataset:
    """A few digits."""
    return cut(digits, 100, 30)


def as_engine(trial: Trial, engine: str) -> Trial:
    """The trial with an engine in its config."""
    return replace(trial, config={**trial.config, "training": {**trial.config["training"], "engine": engine}})


def test_a_shape_is_looked_at_once(small: Dataset, make_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its lanes are asked for and its trials are trained, until there may be more of it; another shape by itself."""
    asked = []

    def look(trial: Trial, _data: object, _timed: object, *, most: int) -> Choice:
        asked.append((trial.shape, most))
        return Choice("stacked", min(most, 3), "stacked: for a test")

    monkeypatch.setattr(trainer, "for_shape", look)
    core = Trainer(small, device="cpu")
    assert [core.lanes(make_trial(n), 2) for n in range(3)] == [2, 2, 2]
    script(core([make_trial(n) for n in range(2)]))
    assert core.lanes(replace(make_trial(), shape="other"), 8) == 3
    assert [core.lanes(make_trial(), most) for most in (8, 2, 8, 1)] == [3, 2, 3, 1]
    assert asked == [("shape", 2), ("other", 8), ("shape", 8)]


def test_the_first_report_alone_says_how(small: Dataset, make_trial: Any) -> None:
    """Of every attempt, a refilled lane's too: engine and precision, each with its reason."""
    core = Trainer(small, device="cpu")
    rounds = script(core([make_trial(n) for n in range(2)]), {}, {1: Refill(make_trial(2))})
    for number in range(3):
        first, *others = of(number, rounds)
        assert first.how is not None
        assert first.how.startswith("stacked: ")
        assert "a step is small; fp32: on a CPU" in first.how
        assert not any(report.how for report in others)


@pytest.mark.parametrize("engine", ["plain", "stacked"])
def test_a_production_run_gives_the_bits_of_the_lane(small: Dataset, make_trial: Any, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """What a worker trained among others in an engine, ``train`` gives again alone when the config names that engine."""
    trials = [make_trial(n, seed=n, model={"norm": "batch", "dropout": 0.2, "width": 50}) for n in range(3)]
    monkeypatch.setattr(trainer, "for_shape", lambda *_, **__: Choice(engine, 3, "for a test"))
    rounds = script(Trainer(small, device="cpu")(trials))
    alone = script(train([as_engine(trials[1], engine)], small, device="cpu"))
    assert curve(of(1, rounds)) == curve(of(1, alone))


def test_a_wrong_config_is_that_trials_failure(small: Dataset, make_trial: Any) -> None:
    """Already when its lanes are asked for, every time."""
    core = Trainer(small, device="cpu")
    for _ in range(2):
        with pytest.raises(InputError, match="the training part has"):
            core.lanes(make_trial(training={"batch_size": 101}), 2)


def test_lanes_are_timed_on_the_threads_they_will_have(small: Dataset, make_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """resources.cpus_per_worker holds while the lanes are chosen."""
    seen = []

    def look(*_: object) -> float:
        seen.append(torch.get_num_threads())
        return 1.0

    monkeypatch.setattr(choose, "_epoch_seconds", look)  # its epochs are short
    Trainer(small, device="cpu").lanes(make_trial(resources={"cpus_per_worker": 2}), 3)
    assert set(seen) == {2}
