"""Which engine, how many lanes, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.core import models
from sweeper.core.batches import Resident
from sweeper.core.loop import train
from sweeper.core.stack import choose
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.plain import PlainStack
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from tests.core.driving import cut, script

CPU = torch.device("cpu")
CNN = {"family": "cnn", "channels": 2, "hidden": 4}


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Dataset:
    """A few digits."""
    return cut(digits, 100, 30)


@pytest.fixture(scope="module")
def data(small: Dataset) -> Resident:
    """The same, on the device."""
    return Resident.of(small, CPU)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a step takes in a stack of so many lanes, in seconds, and an epoch, if that is not the same.

    A stack of ``full`` lanes does not fit into memory.
    """
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(choose, "time", SimpleNamespace(perf_counter=lambda: now.seconds))

    def use(seconds: dict[int, float], full: int = 1000, epochs: dict[int, float] | None = None) -> None:
        class Stack:
            def __init__(self, trials: list[object], _data: object) -> None:
                self.lanes = len(trials)
                if self.lanes >= full:
                    raise torch.OutOfMemoryError("out of memory")

            def rehearse(self) -> Iterator[None]:
                for _ in range(2):  # epochs may be shorter than what is timed
                    now.seconds += seconds[self.lanes]
                    yield

            def run_epoch(self) -> None:
                now.seconds += (epochs or seconds)[self.lanes]

        monkeypatch.setattr(choose, "FusedStack", Stack)

    return use


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"training": {"engine": "plain"}}, "plain: the config says so"),
        ({"training": {"precision": "fp16"}}, "plain: fp16 scales the loss of each model by itself"),
        ({"training": {"precision": "fp16", "engine": "stacked"}}, "plain: fp16 scales the loss of each model by itself"),
        ({"model": CNN}, "plain: stacked, this model's last bits would depend on the number of lanes (engine: stacked allows that)"),
        ({"model": {"width": 1024}}, "plain: a step of one model is work enough for a core (433 MFLOP)"),
    ],
)
def test_what_is_not_stacked_says_why(data: Resident, make_trial: Any, parts: dict[str, Any], reason: str) -> None:
    """One lane of the plain engine, with the reason, and that is what is built; nothing is timed."""
    trial = make_trial(**parts)
    found = choose.for_shape(trial, data)
    assert found == choose.Choice("plain", 1, reason)
    assert isinstance(found.stack([trial], data), PlainStack)


def test_one_lane_where_no_two_trials_share_a_shape(data: Resident, make_trial: Any) -> None:
    """The stacked engine, which trains a layered model faster than the plain one does; nothing is timed."""
    trial = make_trial()
    found = choose.for_shape(trial, data, most=1)
    assert found == choose.Choice("stacked", 1, "stacked: one lane, for no other trial has its shape")
    assert isinstance(found.stack([trial], data), FusedStack)


def test_two_small_models_are_stacked_without_looking(data: Resident, make_trial: Any, clock: Any) -> None:
    """On a CPU two lanes are faster than one where a step is small; of larger ones, and where there may be more lanes, time decides."""
    clock({1: 1.0, 2: 2.0, 4: 4.0})
    small, larger = make_trial(), make_trial(model={"width": 400})
    assert choose.for_shape(small, data, most=2) == choose.Choice(
        "stacked", 2, "stacked: two lanes, for two trials have its shape, and a step is small"
    )
    assert choose.for_shape(small, data, most=4).lanes == 1
    assert choose.for_shape(larger, data, most=2).lanes == 1


@pytest.mark.parametrize("parts", [{}, {"training": {"engine": "stacked"}}, {"model": CNN, "training": {"engine": "stacked"}}])
def test_what_can_be_stacked_is_timed_for_real(data: Resident, make_trial: Any, parts: dict[str, Any]) -> None:
    """The MLP of its own accord, other models on request: the reason tells the lanes and where they were timed."""
    trial = make_trial(**parts)
    found = choose.for_shape(trial, data)
    assert found.engine == "stacked"
    assert 1 <= found.lanes <= choose.MOST_LANES["cpu"]
    assert found.reason.startswith("stacked: ")
    assert found.reason.endswith("(measured on cpu)")
    assert isinstance(found.stack([trial], data), FusedStack)


def test_asked_for_a_big_shape_is_stacked(data: Resident, make_trial: Any, clock: Any) -> None:
    """``engine: stacked`` overrules what auto takes to be not worth it."""
    clock({1: 1.0, 2: 2.0, 4: 4.0})
    assert choose.for_shape(make_trial(model={"width": 1024}, training={"engine": "stacked"}), data).engine == "stacked"


@pytest.mark.parametrize(
    ("seconds", "lanes", "gain"),
    [
        ({1: 1.0, 2: 1.0, 4: 1.0, 8: 1.0, 16: 1.0, 32: 1.0}, 16, 16.0),
        ({1: 1.0, 2: 1.2, 4: 1.6, 8: 3.2, 16: 6.3}, 4, 2.5),
        ({1: 1.0, 2: 9.0, 4: 1.0, 8: 2.0, 16: 4.0}, 4, 4.0),
        ({1: 1.0, 2: 1.0, 4: 40.0, 8: 80.0}, 2, 2.0),
    ],
)
def test_as_many_lanes_as_pay(data: Resident, make_trial: Any, clock: Any, seconds: dict[int, float], lanes: int, gain: float) -> None:
    """Up to the most; no more where a trial's step gets no shorter; one disturbed measurement does not end the search."""
    clock(seconds)
    found = choose.for_shape(make_trial(), data)
    assert (found.engine, found.lanes) == ("stacked", lanes)
    assert found.reason.endswith(f"{lanes} lanes, {gain:.1f} times the speed of one (measured on cpu)")


@pytest.mark.parametrize(("batch_size", "lanes"), [(64, 4), (8, 1)])
def test_short_epochs_are_timed_as_a_whole(data: Resident, make_trial: Any, clock: Any, batch_size: int, lanes: int) -> None:
    """Two steps, of which an epoch has more than its steps; of thirteen, steps are timed."""
    clock({1: 1.0, 2: 2.0, 4: 4.0}, epochs={1: 3.0, 2: 3.0, 4: 4.0, 8: 8.0, 16: 16.0})
    assert choose.for_shape(make_trial(training={"batch_size": batch_size}), data).lanes == lanes


def test_a_size_is_timed_once(data: Resident, make_trial: Any, clock: Any) -> None:
    """Another shape of the same size takes over what was found and says so; one of another size, and a mapped model, is timed."""
    known: dict[int, dict[int, float]] = {}
    clock({1: 1.0, 2: 1.0, 4: 4.0, 8: 8.0, 16: 16.0})
    assert choose.for_shape(make_trial(model={"width": 32}), data, known).lanes == 2
    clock({1: 1.0, 2: 2.0, 4: 4.0})
    like = choose.for_shape(make_trial(model={"width": 32, "activation": "tanh"}), data, known)
    assert like == choose.Choice("stacked", 2, "stacked: up to 2 lanes, as with another shape of this size (measured on cpu)")
    assert choose.for_shape(make_trial(model={"width": 128}), data, known).lanes == 1
    assert len(known) == 2
    choose.for_shape(make_trial(model={"width": 32}, training={"engine": "stacked"}), data, known)
    assert len(known) == 2


def test_what_was_timed_of_a_size_is_not_timed_again(data: Resident, make_trial: Any, clock: Any) -> None:
    """Where there may be more lanes than before, the others are; where there may be fewer, the best of these is known."""
    known: dict[int, dict[int, float]] = {}
    clock({1: 1.0, 2: 1.0, 4: 1.0})
    assert choose.for_shape(make_trial(), data, known, most=4).lanes == 4
    clock({8: 1.0})
    assert choose.for_shape(make_trial(), data, known, most=8).lanes == 8
    clock({})
    assert choose.for_shape(make_trial(), data, known, most=5).lanes == 4
    assert known == {size: {1: 1.0, 2: 0.5, 4: 0.25, 8: 0.125} for size in known}


def test_one_lane_where_more_are_no_faster(data: Resident, make_trial: Any, clock: Any) -> None:
    """A core that is busy with one gains nothing; the bits are a stack's all the same."""
    clock({1: 1.0, 2: 2.0, 4: 3.9})
    assert choose.for_shape(make_trial(), data) == choose.Choice(
        "stacked", 1, "stacked: one lane, for more are no faster (measured on cpu)"
    )


def test_fewer_lanes_where_more_do_not_fit(data: Resident, make_trial: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight lanes run out of memory: four it is. Where half of what is free has no room for four, they are not even tried."""
    clock({1: 1.0, 2: 1.0, 4: 1.0}, full=8)
    trial = make_trial(model={"width": 50})
    assert choose.for_shape(trial, data).lanes == 4
    clock({1: 1.0, 2: 1.0})
    parameters = 64 * 50 + 50 + 50 * 50 + 50 + 50 * 10 + 10
    lane = parameters * 24 + 2 * choose.LANE_BYTES  # values, gradients, moments and their like, and what it is fed
    free = 2 * 3 * lane
    monkeypatch.setattr(choose, "os", SimpleNamespace(sysconf=lambda name: 1 if name == "SC_PAGE_SIZE" else free))
    assert choose.for_shape(trial, data).lanes == 2


class Recurrent(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(8, 4, batch_first=True)
        self.output = nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images to logits."""
        out: torch.Tensor = self.output(self.cell(x[:, 0])[0][:, -1])
        return out


class Branching(nn.Module):
    """Goes another way for bright batches."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images to logits."""
        out: torch.Tensor = self.output(x.flatten(1))
        return out if x.sum() > 0 else out * 0.9


class Noisy(Branching):
    """Drops by torch's own noise."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images to logits."""
        out: torch.Tensor = self.output(functional.dropout(x.flatten(1), 0.5, self.training))
        return out


class Twofaced(Branching):
    """Computes something else when it is mapped."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images to logits."""
        out: torch.Tensor = self.output(x.flatten(1))
        return out * 3 if torch._C._functorch.is_batchedtensor(x) else out


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Recurrent, "torch cannot map recurrent layers over models"),
        (Branching, "this model cannot be stacked (RuntimeError: "),
        (Noisy, "this model cannot be stacked (it draws random numbers of its own"),
        (Twofaced, "this model gives other losses when it is stacked"),
    ],
)
def test_a_model_that_cannot_be_stacked_is_trained_plainly(
    small: Dataset, data: Resident, make_trial: Any, monkeypatch: pytest.MonkeyPatch, model: type[nn.Module], reason: str
) -> None:
    """Found out by trying; the first report tells what torch said, and training goes to its end."""
    monkeypatch.setattr(models, "build", lambda *_: model())
    trial = make_trial(model=CNN, training={"engine": "stacked", "batch_size": 32})
    assert choose.for_shape(trial, data).reason.startswith(f"plain: {reason}")
    rounds = script(train([trial], small, device="cpu"))
    assert rounds[-1][0].ended == "all 3 epochs"
    assert rounds[0][0].how is not None
    assert rounds[0][0].how.startswith(f"plain: {reason}")
    assert rounds[-1][0].metrics["train_loss"] < rounds[0][0].metrics["train_loss"]


def test_a_wrong_config_is_told_as_such(data: Resident, make_trial: Any) -> None:
    """And not as a model that cannot be stacked."""
    for model in ({}, CNN):
        with pytest.raises(InputError, match="the training part has"):
            choose.for_shape(make_trial(model=model, training={"batch_size": 1000, "engine": "stacked"}), data)


def test_alone_a_trial_is_stacked_only_when_its_config_says_so(data: Resident, make_trial: Any) -> None:
    """Nothing is timed; a winner's file has the engine that trained it."""
    assert choose.alone(make_trial(), data) == choose.Choice("plain", 1, "plain: one model")
    assert choose.alone(make_trial(training={"engine": "plain"}), data).engine == "plain"
    assert choose.alone(make_trial(training={"engine": "stacked"}), data) == choose.Choice("stacked", 1, "stacked: the config says so")
    assert choose.alone(make_trial(training={"engine": "stacked", "precision": "fp16"}), data).reason.startswith("plain: fp16")


def test_seeds_of_a_range_test_are_stacked_where_that_keeps_bits(data: Resident, make_trial: Any) -> None:
    """Layered models, unless the config forbids it."""
    assert choose.together(make_trial(), data).engine == "stacked"
    assert choose.together(make_trial(model=CNN), data).engine == "plain"
    assert choose.together(make_trial(training={"engine": "plain"}), data).engine == "plain"


@pytest.mark.parametrize(("sharding", "how"), [("none", "data-parallel"), ("fsdp", "sharded by FSDP2")])
@pytest.mark.parametrize("choice", [choose.alone, choose.together, choose.for_shape])
def test_a_trial_of_several_processes_is_no_lane(data: Resident, make_trial: Any, choice: Any, sharding: str, how: str) -> None:
    """The reason tells how it is shared; what does not fit the data is told before any process is started."""
    resources = {"processes": 2, "sharding": sharding}
    reason = f"plain: {how} over 2 processes (gloo), 32 rows each of every batch of 64"
    assert choice(make_trial(resources=resources), data) == choose.Choice("plain", 1, reason, 2)
    with pytest.raises(InputError, match="the training part has"):
        choice(make_trial(resources=resources, training={"batch_size": 10_000}), data)
