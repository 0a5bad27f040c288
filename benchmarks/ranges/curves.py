"""The recorded curves of a problem: ladders of learning rates, and constant learning rates; trained once, kept in files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranges.problems import Problem
from benchmarks.ranges.quadratic import Quadratic
from benchmarks.ranges.regret import ADMITTED, GRID, NEAR, QUIET, Regret
from sweeper.config.files import config_from_tree, tree_of
from sweeper.core.loop import record_losses
from sweeper.core.schedule import Schedule
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.lr_range.ladder import HIGH, LOW, STEPS
from sweeper.lr_range.run import LONGER
from sweeper.lr_range.trials import moved
from sweeper.trial import Trial

FOLDER = Path("runs/ranges")
"""Not under version control."""

LADDER_SEEDS = range(40)
"""Eight repeats of five."""
GRID_SEEDS = range(1000, 1005)
"""None of the ladder's."""
MORE_SEEDS = range(1005, 1025)
"""Further ones, where those five leave too much noise."""

AT_A_TIME = 64
"""Lanes of a stack; more no longer fit a core's caches."""

Train = Callable[[Sequence[tuple[float, int]], Schedule | None, int], np.ndarray]
"""Trains arms (learning rate, seed), times a schedule, for so many steps; gives their losses ``[arms, steps]``."""


def ladder(steps: int = STEPS) -> np.ndarray:
    """The test's default, of so many steps."""
    return np.geomspace(LOW, HIGH, steps)


@dataclass(frozen=True)
class Curves:
    """What was recorded of a problem with so many steps.

    Attributes:
        ladder: ``[seeds, steps]``, the loss before each step of the ladder; NaN after a seed's first that is not finite.
        grid: ``[rates, seeds, steps]``, the same at each constant learning rate of ``GRID``.
    """

    ladder: np.ndarray
    grid: np.ndarray


class Recorded:
    """The curves of a problem, as they were recorded before, or recorded now and kept; a changed problem is recorded anew.

    Args:
        problem: what is trained.
        folder: of the files.
    """

    def __init__(self, problem: Problem, folder: Path = FOLDER) -> None:
        self.problem = problem
        self._folder = folder
        self._train: Train | None = None

    def curves(self, steps: int = STEPS) -> Curves:
        """Ladders and grid; seconds for layered networks, a minute for others."""

        def record(train: Train) -> dict[str, np.ndarray]:
            lrs = ladder(steps)
            climbed = train([(1.0, seed) for seed in LADDER_SEEDS], lambda step: float(lrs[min(step, steps - 1)]), steps)
            arms = [(float(lr), seed) for lr in GRID for seed in GRID_SEEDS]
            return {"ladder": climbed, "grid": train(arms, None, steps).reshape(len(GRID), len(GRID_SEEDS), steps)}

        return Curves(**self._kept(record, ladder(steps), LADDER_SEEDS, GRID, GRID_SEEDS))

    def regret(self, steps: int = STEPS) -> Regret:
        """By the grid of so many steps; with more seeds near its best where five leave it noisy."""
        grid = self.curves(steps).grid
        found = Regret.of(grid)
        if found.noise <= QUIET:
            return found
        near = found.of_grid <= NEAR
        return Regret.of(grid, near, self.arms(GRID[near], MORE_SEEDS, steps))

    def horizon(self) -> int | None:
        """The steps of the shortest grid that can tell: 100, or 300; None: neither can, and nothing is held out by this problem."""
        return next((steps for steps in (STEPS, LONGER) if self.regret(steps).noise <= ADMITTED), None)

    def arms(self, lrs: np.ndarray, seeds: range, steps: int) -> np.ndarray:
        """Constant learning rates ``[rates, seeds, steps]``, each with every seed."""

        def record(train: Train) -> dict[str, np.ndarray]:
            arms = [(float(lr), seed) for lr in lrs for seed in seeds]
            return {"arms": train(arms, None, steps).reshape(len(lrs), len(seeds), steps)}

        return self._kept(record, lrs, seeds, steps)["arms"]

    def _kept(self, record: Callable[[Train], Mapping[str, np.ndarray]], *made_of: object) -> dict[str, np.ndarray]:
        task = asdict(self.problem.task) if is_dataclass(self.problem.task) else self.problem.task
        digest = hashlib.sha256(repr((task, self.problem.optimizer, *made_of)).encode()).hexdigest()[:12]
        file = self._folder / f"{self.problem.name.replace('/', '-').replace(' ', '-')}-{digest}.npz"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._train = self._train or _trained(self.problem)
            part = file.with_suffix(".part.npz")
            np.savez_compressed(part, **dict[str, Any](record(self._train)))
            part.rename(file)
        with np.load(file) as kept:
            return {name: kept[name].astype(np.float64) for name in kept.files}


def _trained(problem: Problem) -> Train:
    if isinstance(problem.task, Quadratic):
        quadratic = problem.task

        def train(arms: Sequence[tuple[float, int]], schedule: Schedule | None, steps: int) -> np.ndarray:
            rates = dict.fromkeys(lr for lr, _ in arms)
            rows = [
                quadratic.losses(
                    {**problem.optimizer, "lr": lr},
                    [seed for rate, seed in arms if rate == lr],
                    (lambda _, lr=lr: lr) if schedule is None else schedule,  # type: ignore[misc] # no type for a default
                    steps,
                )
                for lr in rates
            ]
            return np.concatenate(rows)

        return train
    tree = tree_of(config_from_tree({**problem.task, "optimizer": dict(problem.optimizer)}))
    data = prepare(config_from_tree(tree).data, config_from_tree(tree).task)
    return lambda arms, schedule, steps: _networks(tree, data, arms, schedule, steps)


def _networks(tree: dict[str, Any], data: Dataset, arms: Sequence[tuple[float, int]], schedule: Schedule | None, steps: int) -> np.ndarray:
    """Arms of a network, so many at a time as one stack where it can be stacked."""
    trials = [
        Trial(
            number=number,
            seed=seed,
            values={},
            config={**tree, "optimizer": moved(tree["optimizer"], lr), "training": {**tree["training"], "seed": seed}},
            shape="range",
        )
        for number, (lr, seed) in enumerate(arms)
    ]
    parts = [trials[begin : begin + AT_A_TIME] for begin in range(0, len(trials), AT_A_TIME)]
    return np.concatenate([record_losses(part, data, schedule, steps, device="cpu") for part in parts])
