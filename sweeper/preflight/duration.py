"""How long a sweep will train: an estimate from timed steps of some configs of the space."""

from __future__ import annotations

import random
import time
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from statistics import mean

import torch

from sweeper.config.schema import Config
from sweeper.config.space import Forbidden, Space
from sweeper.config.vetting import sample
from sweeper.core.batches import Plan, Resident
from sweeper.core.stack.choose import for_shape
from sweeper.preflight.finding import Finding, passed, warned
from sweeper.preflight.lesson import trial_of

WARM_UP, TIMED = 2, 6
"""Steps; of slow ones fewer."""

SECONDS = 2.0
"""After which a config has been timed enough."""

DRAWS = 5
"""Random configs that are timed beside the default."""

LONG = 24 * 3600.0
"""Seconds from which on an estimate is a warning."""


@dataclass(frozen=True)
class Sizing:
    """What a sweep's time depends on beside its configs.

    Attributes:
        trials: how many.
        workers: at a time.
        rungs: epochs at which trials are judged; none without successive halving.
        reduction: the best 1/reduction go on at each.
        side: at most how many trials are trained side by side.
    """

    trials: int
    workers: int
    rungs: Sequence[int]
    reduction: int
    side: int

    def epochs(self, most: int) -> float:
        """Epochs of a trial in the mean, where halving stops all but the best 1/reduction at each rung."""
        edges = [*(rung for rung in sorted(self.rungs) if rung < most), most]
        total, before, share = 0.0, 0, 1.0
        for edge in edges:
            total += share * (edge - before)
            before, share = edge, share / self.reduction
        return total


def epoch_seconds(config: Config, data: Resident, side: int, timed: MutableMapping[int, dict[int, float]]) -> float:
    """Seconds per epoch and trial, in the engine and as many lanes as a sweep would train, evaluation included.

    Args:
        config: of one trial.
        data: on the device.
        side: at most so many lanes.
        timed: see ``for_shape``.
    """
    trial = trial_of(config)
    choice = for_shape(trial, data, timed, most=side)
    plan = Plan.of(config, len(data.train))
    stack = choice.stack([trial] * choice.lanes, data)
    times = [time.perf_counter()]
    for _ in chain.from_iterable(stack.rehearse() for _ in range(WARM_UP + TIMED)):  # an epoch may be one step
        _wait(data.device)
        times.append(time.perf_counter())
        if len(times) > WARM_UP + TIMED or times[-1] - times[0] > SECONDS:
            break
    step = min(after - before for before, after in pairwise(times[-1 - TIMED :])) / choice.lanes
    # A forward pass is about a third of a step.
    return step * plan.steps * (1.0 + len(data.val) / (3.0 * plan.used))


def duration(space: Space, data: Resident, sizing: Sizing) -> Finding:
    """Times the default and some random configs of a space, and says how long its sweep trains."""
    configs = [space.base, *_draws(space)]
    timed: dict[int, dict[int, float]] = {}
    seconds = [epoch_seconds(config, data, sizing.side, timed) for config in configs]
    most = space.base.training.epochs
    whole = mean(seconds) * sizing.trials / sizing.workers
    likely, worst = whole * sizing.epochs(most), whole * most
    told = (
        f"an estimate from timed steps of {len(configs)} configs: an epoch takes {span(min(seconds))} to {span(max(seconds))} per trial, "
        f"so {sizing.trials} trials train about {span(likely)} on {_workers(sizing.workers)}"
    )
    told += f" (at most {span(worst)}, if none is stopped early)" if worst > 1.2 * likely else ""
    if likely > LONG:
        remedy = "fewer search.trials or training.epochs, a smaller model, more workers or a GPU"
        return warned("time", told, remedy, "search.trials")
    return passed("time", told)


def _draws(space: Space) -> list[Config]:
    rng, found = random.Random(0), []  # noqa: S311 - a sample, not a secret
    for _ in range(DRAWS if space.leaves else 0):
        with suppress(Forbidden):
            found.append(space.resolve(sample(rng), seed=space.base.training.seed).config)
    return found


def span(seconds: float) -> str:
    """A time as people say it."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _workers(number: int) -> str:
    return f"{number} worker{'s' if number > 1 else ''}"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
