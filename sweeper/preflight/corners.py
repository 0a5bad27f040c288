"""The extreme configs of a space: whether each can be built, how large they are, and one real step of the largest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from sweeper.config.distributions import values
from sweeper.config.schema import Config
from sweeper.config.space import Forbidden, Leaf, Space
from sweeper.core import models
from sweeper.core.batches import Plan, Resident
from sweeper.core.stack.plain import PlainStack
from sweeper.errors import InputError
from sweeper.preflight.finding import Finding, failed, listed, passed
from sweeper.preflight.lesson import trial_of
from sweeper.preflight.memory import training_bytes
from sweeper.trial import Scalar

MOST = 200
"""Configs that are built on the meta device; it takes about a millisecond each."""

ROOM = 0.5
"""Share of the free memory that the one real step may take."""


@dataclass(frozen=True)
class Corner:
    """An extreme config.

    Attributes:
        config: complete.
        parameters: trained numbers.
    """

    config: Config
    parameters: int

    def named(self) -> str:
        """The model in a line."""
        tree = self.config.model.model_dump(mode="json", exclude_defaults=True, exclude={"family"})
        told = ", ".join(f"{key} {value}" for key, value in tree.items() if not isinstance(value, dict | list))
        return f"{self.config.model.family}" + (f" ({told})" if told else "")


def extremes(space: Space) -> Iterator[Config]:
    """The default, what uses every option and bound, and of every branch the smallest and the largest config that the rules allow.

    Where a rule forbids a corner, the ones beside it are taken: the same with one parameter a step less extreme.
    """
    seen: set[str] = set()
    for config in (space.base, *space.corners(), *_branches(space)):
        key = config.model_dump_json()
        if key not in seen and len(seen) < MOST:
            seen.add(key)
            yield config


def _branches(space: Space) -> Iterator[Config]:
    words = [ends for leaf in space.leaves if not _numbers(ends := leaf.distribution.ends()) or "." not in leaf.path]
    for branch in range(max(map(len, words), default=1)):
        for largest in (False, True):
            if corner := _resolved(space, branch, largest, None):
                yield corner
                continue
            for leaf in space.leaves:
                if beside := _resolved(space, branch, largest, leaf.name):
                    yield beside


def _resolved(space: Space, branch: int, largest: bool, spared: str | None) -> Config | None:
    """The corner, with the parameter of this name a step beside its bound; None where it is forbidden."""

    def suggest(leaf: Leaf) -> Scalar:
        ends = leaf.distribution.ends()
        if "." not in leaf.path or not _numbers(ends):
            return ends[branch % len(ends)]
        countable = sorted(values(leaf.distribution) or ends)  # type: ignore[type-var]
        return countable[(-1 if largest else 0) + (leaf.name == spared and len(countable) > 1) * (-1 if largest else 1)]

    try:
        return space.resolve(suggest, seed=space.base.training.seed).config
    except Forbidden:
        return None


def _numbers(ends: Sequence[Scalar]) -> bool:
    return all(isinstance(end, int | float) for end in ends)


def built(space: Space, data: Resident) -> tuple[Finding, list[Corner]]:
    """Builds every extreme config: of our own families on the meta device, which takes no memory.

    Returns:
        The finding, and the corners that can be built, the smallest first.
    """
    check = "corners of the space"
    corners: list[Corner] = []
    problems: list[str] = []
    for config in extremes(space):
        try:
            Plan.of(config, len(data.train))
            with torch.device("meta"):
                model = models.build(config.model, data.input_shape, data.outputs, data.tokens)
            corners.append(Corner(config, sum(p.numel() for p in model.parameters() if p.requires_grad)))
        except InputError as error:
            problems += [f"{problem.path} {problem.found}" for problem in error.problems]
        except Exception as error:  # noqa: BLE001 - whatever a model's code does
            problems.append(f"{Corner(config, 0).named()}: {type(error).__name__}: {str(error).strip().partition(chr(10))[0][:160]}")
    corners.sort(key=lambda corner: corner.parameters)
    if problems:
        found = f"{len(problems)} of {len(problems) + len(corners)} extreme configs cannot be trained: {listed(dict.fromkeys(problems), 3)}"
        return failed(check, found, "narrow the range, or forbid: the combination", "forbid"), corners
    small, large = corners[0], corners[-1]
    span = f"from {small.parameters:,} parameters, {small.named()}, to {large.parameters:,}, {large.named()}"
    return passed(check, f"{len(corners)} extreme configs can be built, {span}"), corners


def largest_step(corner: Corner, data: Resident, free: int) -> Finding:
    """One real training step of the largest config, unless the estimate says that it does not fit.

    Args:
        corner: the largest.
        data: on the device.
        free: bytes that may be used.
    """
    check = "largest config"
    needed = training_bytes(corner.config, data)
    remedy = "a smaller bound for the model's size or training.batch_size"
    if needed.total > ROOM * free:
        found = f"{corner.named()} needs about {needed.told()} to train, and {free / 2**30:.1f} GiB are free (an estimate; not tried)"
        return failed(check, found, remedy, "model")
    try:
        loss = float(PlainStack([trial_of(corner.config)], data).record(1)[0, 0])
    except (RuntimeError, MemoryError, ValueError) as error:
        line = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:160]}"
        return failed(check, f"a training step of {corner.named()} fails: {line}", remedy, "model")
    return passed(check, f"a training step of {corner.named()} with batches of {corner.config.training.batch_size} works, loss {loss:.3f}")
