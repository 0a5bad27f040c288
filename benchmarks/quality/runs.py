"""One search per task, seed and arm; what was done before is read, not done again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from benchmarks.quality import commands
from benchmarks.quality.tasks import overrides
from benchmarks.quality.trace import Trace

SCRATCH = Path("runs/quality")
RAY_SECONDS = 300.0
REFERENCE = "random-none-trials"
"""Random search without pruning, every trial with an architecture of its own and one lane: the plain loop."""
PLAIN = "training.engine=plain"

Arm: TypeAlias = Callable[[Trace, Sequence[str], float | None], Trace | None]
"""Fills the trace it is given, or returns another, with these settings of the space; stops at the target, if there is one."""


def sweep(trace: Trace, settings: Sequence[str], target: float | None) -> None:
    """See ``sweeper_arm.run``."""
    from benchmarks.quality import sweeper_arm

    sweeper_arm.run(trace, settings, target)


def optuna(trace: Trace, settings: Sequence[str], target: float | None) -> None:
    """See ``optuna_arm.run``."""
    from benchmarks.quality import optuna_arm

    optuna_arm.run(trace, settings, target)


@dataclass(frozen=True)
class Runs:
    """Searches of so many trials each, kept in a folder.

    Attributes:
        folder: has a JSON file per search; a search whose file is there is not made again.
        trials: of each search.
        ray_seconds: after so long Ray Tune's search is given up.
    """

    folder: Path
    trials: int
    ray_seconds: float = RAY_SECONDS

    def path(self, task: str, seed: int, arm: str) -> Path:
        """Where the search is kept."""
        return self.folder / f"{task}-{seed}-{arm}-{self.trials}.json"

    def known(self, task: str, seed: int, arm: str) -> Trace | None:
        """The search, if it has been made."""
        path = self.path(task, seed, arm)
        return Trace.load(path) if path.exists() else None

    def made(self, task: str, seed: int, arm: str, target: float | None = None) -> Trace:
        """The search, made now unless it has been; its end is told on stderr."""
        if found := self.known(task, seed, arm):
            return found
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = overrides(task, seed, self.trials, self.folder, self.settings(arm))
        trace = Trace(task, seed, arm)
        trace = self._arm(arm)(trace, settings, target) or trace
        trace.save(self.path(task, seed, arm))
        best = min(trace.best.values())
        told = f"{trace.trials} trials, {trace.epochs} epochs in {trace.seconds:.1f} s (start {trace.startup:.1f} s), best {best:.4f}"
        print(f"{task} {seed} {arm}: {told}, {trace.ended}", file=sys.stderr, flush=True)
        return trace

    @staticmethod
    def settings(arm: str) -> list[str]:
        """The arm's own settings of the space; those named SAMPLER-PRUNER-SHAPES say them, all others take the defaults."""
        parts = arm.split("-")
        if len(parts) != 3:
            return []
        settings = [f"search.{key}={value}" for key, value in zip(("sampler", "pruner", "shapes"), parts, strict=True)]
        return [*settings, PLAIN] if arm == REFERENCE else settings

    def _arm(self, arm: str) -> Arm:
        match arm:
            case "optuna":
                return optuna
            case "ray":
                return lambda trace, settings, target: commands.ray_tune(trace, settings, target, self.ray_seconds)
            case "product":
                return commands.product
            case _:
                return sweep
