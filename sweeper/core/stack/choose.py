"""Which engine trains a shape, and how many lanes side by side: found out by trying, in a few steps."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import nn

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Config
from sweeper.core import models
from sweeper.core.batches import Plan, Resident
from sweeper.core.schedule import Schedule
from sweeper.core.sizes import parameters_of
from sweeper.core.stack.feed import LANE_BYTES
from sweeper.core.stack.forward import Fit, UnstackableError, fit
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.lane import Stack
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial

MOST_LANES = {"cpu": 16, "cuda": 64}
"""On a CPU core little is gained beyond, and halving learns less from trials that reach a rung together."""

LIGHT = 22
"""Binary order of a step's floating-point operations per layer up to which two lanes are always faster than one on a CPU core: 1.3 to 1.9
times in thirty nets of 16 to 256 units (docs/decisions.md)."""

ENOUGH = 1.1
"""More lanes are taken only while each trial's step gets faster by this factor."""

FULL = 100e6
"""Floating-point operations of a step beyond which a model leaves a CPU core no idle moment: there lanes gain nothing
(``benchmarks/lanes.py``)."""

WORTH_IT = 1.2
"""Mapped models are stacked only if that is so much faster than one after another."""

PATIENCE = 2
"""Doublings without a gain before the search for more lanes ends: one may have been disturbed."""

WARM_UP, TIMED, MOST_TIMED = 1, 3, 8
"""Steps; short ones are timed more often."""

ENOUGH_SECONDS = 0.005
"""Of timed steps."""

SHORT = 8
"""Steps of an epoch up to which on a CPU whole epochs are timed: gathering and evaluation weigh as much as a few steps, and gain more
from lanes."""

TIMED_EPOCHS = 2

STREAMED = "the inputs are streamed, and each lane would read them in its own order"
"""Why there is no stack then."""

SAME = 1e-3
"""Relative difference of losses that stacked and single models may have in the probe."""


@dataclass(frozen=True)
class Choice:
    """How trials of a shape are trained.

    Attributes:
        engine: one model after another, or as one program.
        lanes: at most how many side by side.
        reason: a sentence for people.
        processes: that train a trial together.
    """

    engine: Literal["plain", "stacked"]
    lanes: int
    reason: str
    processes: int = 1

    def stack(self, trials: Sequence[Trial], data: Resident, rates: Schedule | None = None, steps: int | None = None) -> Stack:
        """The stack of these trials, with another schedule than theirs and its horizon if they are given."""
        if self.processes > 1:
            from sweeper.core.parallel.stack import LedStack

            return LedStack(trials, data, rates, steps)
        engine = FusedStack if self.engine == "stacked" else PlainStack
        return engine(trials, data, rates, steps)

    def dismiss(self, data: Resident) -> None:
        """Ends the other processes of the trials on this data, which wait for the next trial otherwise."""
        if self.processes > 1:
            from sweeper.core.parallel import crew

            crew.dismiss(data)


def alone(trial: Trial, data: Resident) -> Choice:
    """How one trial is trained that nobody trains others beside: as its config says.

    Where that leaves it open, time decides on a GPU, where a step that is recorded as one graph may be several times as fast.

    Raises:
        InputError: the config does not fit the data.
    """
    config = config_from_tree(trial.config)
    if config.resources.processes > 1:
        return shared(config, data)
    if config.training.engine == "auto" and data.device.type != "cpu":
        return for_shape(trial, data, most=1)
    if config.training.engine != "stacked":
        return Choice("plain", 1, "plain: one model")
    reason = _against(_Shape(trial, data))
    return Choice("stacked", 1, "stacked: the config says so") if reason is None else Choice("plain", 1, f"plain: {reason}")


def together(trial: Trial, data: Resident) -> Choice:
    """How several trials that differ in seed or learning rate are trained for a number of steps, all of them to the end; nothing is timed.

    Raises:
        InputError: the config does not fit the data.
    """
    config = config_from_tree(trial.config)
    if config.resources.processes > 1:
        return shared(config, data)
    if config.training.engine == "plain":
        return Choice("plain", 1, "plain: the config says so")
    if data.streamed:
        return Choice("plain", 1, f"plain: {STREAMED}")
    found = _Shape(trial, data).fit
    if isinstance(found, str):
        return Choice("plain", 1, f"plain: {found}")
    if not found.layered:
        return Choice("plain", 1, "plain: this model has no batched layers")
    return Choice("stacked", MOST_LANES[data.device.type], "stacked: batched layers")


def for_shape(
    trial: Trial, data: Resident, timed: MutableMapping[int, dict[int, float]] | None = None, *, most: int | None = None
) -> Choice:
    """How trials of this one's shape are trained in a sweep.

    On a CPU a trial's bits must not depend on the clock: layered models (``SequenceForward``), whose bits are the same in any stack, are
    always stacked unless they are big, and time decides about the number of lanes alone; other models are stacked on request only. On
    other devices, where bits differ anyway, time decides about the engine too.

    Args:
        trial: any of the shape; it is trained for a few steps and thrown away.
        data: on the device.
        timed: by size (see ``_Shape.size``) and lanes, seconds of a step (or short epoch) per trial, as found out before: on a CPU what is
            there of a layered model is not timed again, and what is found out is added. None: every shape is timed.
        most: so many trials of the shape there are at most. Two are trained side by side without looking where a step is small on a CPU.
            None: any number.

    Raises:
        InputError: the config does not fit the data.
    """
    shape = _Shape(trial, data, most)
    asked = shape.config.training.engine
    if shape.config.resources.processes > 1:
        return shared(shape.config, data)
    Plan.of(shape.config, len(data.train))  # what is wrong with the config is told before anything is timed
    reason = _against(shape)
    if reason is not None:
        return Choice("plain", 1, f"plain: {reason}")
    on_cpu = data.device.type == "cpu"
    if on_cpu and shape.alone is not None:
        return Choice("stacked", 1, f"stacked: one lane, for {shape.alone}")
    where = f"measured on {data.device.type}"
    size = shape.size if on_cpu and asked == "auto" else None
    if size is not None and shape.most == 2 and size <= LIGHT:
        return Choice("stacked", 2, "stacked: two lanes, for two trials have its shape, and a step is small")
    found = {} if timed is None or size is None else timed.setdefault(size, {})
    before = len(found)
    lanes = _lanes(shape, found)
    if len(found) == before:
        told = f"up to {lanes} lanes" if lanes > 1 else "one lane"
        return Choice("stacked", lanes, f"stacked: {told}, as with another shape of this size ({where})")
    if not on_cpu and asked == "auto":
        gain = _step_seconds(lambda: PlainStack([trial], data), data.device) / found[lanes]
        if gain < WORTH_IT:
            return Choice("plain", 1, f"plain: {lanes} lanes would be {gain:.1f} times as fast as one model ({where})")
        if lanes == 1:
            why = shape.alone or "more are no faster"
            return Choice("stacked", 1, f"stacked: one lane, {gain:.1f} times as fast as a plain model, for {why} ({where})")
    gained = found[1] / found[lanes]
    told = f"up to {lanes} lanes, {gained:.1f} times the speed of one" if lanes > 1 else "one lane, for more are no faster"
    return Choice("stacked", lanes, f"stacked: {told} ({where})")


def shared(config: Config, data: Resident) -> Choice:
    """How a trial is trained that several processes share; it fills them, so nothing is timed.

    Raises:
        InputError: the config does not fit the data.
    """
    plan = Plan.of(config, len(data.train))  # told before any process is started
    processes, by = config.resources.processes, "NCCL" if data.device.type == "cuda" else "gloo"
    how = "sharded by FSDP2" if config.resources.sharding == "fsdp" else "data-parallel"
    rows = f"{plan.batch_size // processes} rows each of every batch of {plan.batch_size}"
    return Choice("plain", 1, f"plain: {how} over {processes} processes ({by}), {rows}", processes)


class _Shape:
    """What is asked of a shape; its model is built once.

    Args:
        trial: any of the shape.
        data: on the device.
        most: so many trials of it there are at most; None: any number.
    """

    def __init__(self, trial: Trial, data: Resident, most: int | None = None) -> None:
        self.trial = trial
        self.data = data
        self.config = config_from_tree(trial.config)
        self._most = math.inf if most is None else most

    @cached_property
    def model(self) -> nn.Module:
        """One of the shape, on the CPU."""
        return models.build(self.config.model, self.data.input_shape, self.data.outputs, self.data.tokens)

    @cached_property
    def fit(self) -> Fit | str:
        """What the shape's stack is made of, or why there is none."""
        try:
            return fit(self.model, self.config, self.data)
        except UnstackableError as error:
            return str(error)

    @property
    def alone(self) -> str | None:
        """Why there is never a second lane; None: there may be."""
        if self._most == 1:
            return "no other trial has its shape"
        return None if isinstance(self.fit, str) else self.fit.single

    @property
    def most(self) -> int:
        """The largest number of lanes to try, as memory is now."""
        return 1 if self.alone is not None else int(min(MOST_LANES[self.data.device.type], self._room(), self._most))

    @property
    def work(self) -> float:
        """About how many floating-point operations a step of one layered model takes."""
        return 6.0 * parameters_of(self.model) * self.config.training.batch_size

    @property
    def size(self) -> int:
        """The binary order of a step's work per layer; shapes in which that is equal gain from the same number of lanes."""
        layers = sum(parameter.dim() > 1 for parameter in self.model.parameters())
        return round(math.log2(self.work / layers))

    def _room(self) -> int:
        """How many lanes half of the memory holds that is free now, at least one."""
        lane_bytes = parameters_of(self.model) * 4 * 6 + 2 * LANE_BYTES  # its slabs, and what it is fed at a time
        if self.data.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.data.device)[0]
        else:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(1, free // 2 // lane_bytes)


def _against(shape: _Shape) -> str | None:
    """Why trials of this shape are not stacked, as far as that is no matter of time."""
    asked = shape.config.training.engine
    if asked == "plain":
        return "the config says so"
    if shape.data.streamed:
        return STREAMED
    on_cpu = shape.data.device.type == "cpu"
    found = shape.fit
    if isinstance(found, str):
        return found
    if asked == "auto" and on_cpu:
        if not found.layered:
            return "stacked, this model's last bits would depend on the number of lanes (engine: stacked allows that)"
        if shape.work > FULL:
            return f"a step of one model is work enough for a core ({shape.work / 1e6:.0f} MFLOP)"
    return None if found.layered else _probe(shape.trial, shape.data, 1 if shape.alone else 2)


def _probe(trial: Trial, data: Resident, lanes: int) -> str | None:
    """Whether torch can map this model: two lanes take two steps; the reason if they cannot, or come out otherwise than one by one."""
    PlainStack([trial], data)  # what is wrong with the config is told as such
    try:
        stacked = FusedStack([trial] * lanes, data).record(2)
    except Exception as error:  # noqa: BLE001 - whatever a model's code does under vmap
        line = str(error).strip().partition("\n")[0]
        if "random operation" in line:  # vmap's words for it name flags that nobody can set here
            return "this model cannot be stacked (it draws random numbers of its own, as torch.nn.Dropout does)"
        return f"this model cannot be stacked ({type(error).__name__}: {line[:200]})"
    if not torch.allclose(stacked, PlainStack([trial], data).record(2).expand(lanes, 2), rtol=SAME, equal_nan=True):
        return "this model gives other losses when it is stacked"
    return None


def _lanes(shape: _Shape, found: dict[int, float]) -> int:
    """The number of lanes from which on more gain little; ``found`` has, and gets, seconds per step (or short epoch) and trial by lanes."""
    trial, data = shape.trial, shape.data
    short = data.device.type == "cpu" and Plan.of(shape.config, len(data.train)).steps <= SHORT
    timed = _epoch_seconds if short else _step_seconds
    lanes, idle, best = 1, 0, math.inf
    most = shape.most  # before the stacks that are tried fill the memory
    while lanes <= most and idle < PATIENCE:
        if lanes not in found:
            try:
                found[lanes] = timed(lambda: FusedStack([trial] * lanes, data), data.device) / lanes  # noqa: B023 - called at once
            except (torch.OutOfMemoryError, MemoryError):
                if not found:
                    raise
                break
        idle = 0 if found[lanes] * ENOUGH < best else idle + 1
        best = min(best, found[lanes])
        lanes *= 2
    return min(lanes for lanes, seconds in found.items() if lanes <= most and seconds <= best * ENOUGH)


def _step_seconds(make: Callable[[], Stack], device: torch.device) -> float:
    """The time of an undisturbed step of the whole stack."""
    steps = _repeated(make)
    for _ in range(WARM_UP):
        next(steps)
    times: list[float] = []
    while len(times) < TIMED or (sum(times) < ENOUGH_SECONDS and len(times) < MOST_TIMED):
        _wait(device)
        started = time.perf_counter()
        next(steps)
        _wait(device)
        times.append(time.perf_counter() - started)
    return min(times)


def _epoch_seconds(make: Callable[[], Stack], _device: torch.device) -> float:
    """The time of an undisturbed epoch of the whole stack, with its evaluation, which brings all numbers to the host."""
    stack = make()
    times: list[float] = []
    for _ in range(WARM_UP + TIMED_EPOCHS):
        started = time.perf_counter()
        stack.run_epoch()
        times.append(time.perf_counter() - started)
    return min(times[WARM_UP:])


def _repeated(make: Callable[[], Stack]) -> Iterator[object]:
    stack = make()
    while True:
        yield from stack.rehearse()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
