"""The recorded curves of a problem: ladders of learning rates, and constant learning rates on a fine grid; trained once, kept in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranges.problems import Problem
from benchmarks.ranges.quadratic import Quadratic
from sweeper.config.files import config_from_tree, tree_of
from sweeper.core.loop import record_losses
from sweeper.core.schedule import Schedule
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.trial import Trial

FOLDER = Path("runs/ranges")
"""Not under version control."""

STEPS = 100
LADDER = np.geomspace(1e-7, 10.0, STEPS)
"""The test's default."""
LADDER_SEEDS = range(40)
"""Eight repeats of five."""
GRID = np.geomspace(1e-5, 100.0, 57)
"""Eight a decade."""
GRID_SEEDS = range(1000, 1005)
"""None of the ladder's."""

AT_A_TIME = 64
"""Lanes of a stack; more no longer fit a core's caches."""


@dataclass(frozen=True)
class Curves:
    """What was recorded of a problem.

    Attributes:
        ladder: ``[seeds, steps]``, the loss before each step of ``LADDER``; NaN after a seed's first that is not finite.
        grid: ``[rates, seeds, steps]``, the same at each constant learning rate of ``GRID``.
    """

    ladder: np.ndarray
    grid: np.ndarray


def curves_of(problem: Problem, folder: Path = FOLDER) -> Curves:
    """The curves as they were recorded before, or recorded now and kept; a changed problem is recorded anew."""
    task = asdict(problem.task) if is_dataclass(problem.task) else problem.task
    made_of = repr((task, problem.optimizer, LADDER, LADDER_SEEDS, GRID, GRID_SEEDS))
    name = problem.name.replace("/", "-").replace(" ", "-")
    file = folder / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        found = record(problem)
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, ladder=found.ladder, grid=found.grid)
        part.rename(file)
    with np.load(file) as kept:
        return Curves(kept["ladder"].astype(np.float64), kept["grid"].astype(np.float64))


def record(problem: Problem) -> Curves:
    """Trains the ladders and the grid; seconds for layered networks, a minute for others."""
    train = _trained(problem)
    ladder = train([(1.0, seed) for seed in LADDER_SEEDS], lambda step: float(LADDER[min(step, STEPS - 1)]))
    arms = [(float(lr), seed) for lr in GRID for seed in GRID_SEEDS]
    grid = train(arms, None).reshape(len(GRID), len(GRID_SEEDS), STEPS)
    return Curves(ladder, grid)


def _trained(problem: Problem) -> Callable[[Sequence[tuple[float, int]], Schedule | None], np.ndarray]:
    """Trains arms (learning rate, seed), times a schedule; gives their losses ``[arms, steps]``."""
    if isinstance(problem.task, Quadratic):
        quadratic = problem.task

        def train(arms: Sequence[tuple[float, int]], schedule: Schedule | None) -> np.ndarray:
            rates = dict.fromkeys(lr for lr, _ in arms)
            rows = [
                quadratic.losses(
                    {**problem.optimizer, "lr": lr},
                    [seed for rate, seed in arms if rate == lr],
                    (lambda _, lr=lr: lr) if schedule is None else schedule,  # type: ignore[misc] # no type for a default
                    STEPS,
                )
                for lr in rates
            ]
            return np.concatenate(rows)

        return train
    tree = tree_of(config_from_tree({**problem.task, "optimizer": dict(problem.optimizer)}))
    data = prepare(config_from_tree(tree).data, config_from_tree(tree).task)
    return lambda arms, schedule: _networks(tree, data, arms, schedule)


def _networks(tree: dict[str, Any], data: Dataset, arms: Sequence[tuple[float, int]], schedule: Schedule | None) -> np.ndarray:
    """Arms of a network, so many at a time as one stack where it can be stacked."""
    trials = [
        Trial(
            number=number,
            seed=seed,
            values={},
            config={**tree, "optimizer": {**tree["optimizer"], "lr": lr}, "training": {**tree["training"], "seed": seed}},
            shape="range",
        )
        for number, (lr, seed) in enumerate(arms)
    ]
    parts = [trials[begin : begin + AT_A_TIME] for begin in range(0, len(trials), AT_A_TIME)]
    return np.concatenate([record_losses(part, data, schedule, STEPS, device="cpu") for part in parts])
