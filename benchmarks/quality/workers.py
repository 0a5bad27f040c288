"""Worker processes that are ready before the clock starts.

Each is a fresh interpreter that has imported the core, holds the data and has trained one epoch. From the word *go* it does its job, which
talks to this process through a pipe. No Ray, no MLflow: what is measured with them is the search and the training alone.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from sweeper.config.files import tree_of
from sweeper.config.space import Resolved, Space
from sweeper.trial import Trial

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset
    from sweeper.ports import Train

WORKERS = 2

Job: TypeAlias = Callable[[Connection, str, "Train"], None]
"""A module-level function of the pipe, the worker's name and the core's ``train``."""


class Workers:
    """The processes for the block of a ``with``; leaving it ends them.

    Args:
        space: its default config is trained for an epoch, plain, before the clock starts.
        data: the same for all.
        checkpoints: where trials commit their best epochs.
        job: what each does.

    Attributes:
        pipes: one to each.
    """

    def __init__(self, space: Space, data: Dataset, checkpoints: Path, job: Job) -> None:
        spawn = multiprocessing.get_context("spawn")
        warm_up = trial_of(0, Space.parse(space.text, space.source, ["training.engine=plain"]).default(seed=0))
        self.pipes: list[Connection] = []
        self._processes = []
        for index in range(WORKERS):
            mine, other = spawn.Pipe()
            process = spawn.Process(target=_work, args=(other, f"worker-{index}", data, checkpoints, warm_up, job), daemon=True)
            process.start()
            other.close()
            self.pipes.append(mine)
            self._processes.append(process)

    def go(self) -> float:
        """Wait until all are ready and let them go, at the unix time that is returned."""
        for pipe in self.pipes:
            pipe.recv()
        now = time.time()
        for pipe in self.pipes:
            pipe.send("go")
        return now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def trial_of(number: int, resolved: Resolved) -> Trial:
    """A trial of a config that a space has resolved; its seed is the config's."""
    config = resolved.config
    return Trial(number, config.training.seed, resolved.values, tree_of(config), resolved.shape)


def _work(pipe: Connection, name: str, data: Dataset, checkpoints: Path, warm_up: Trial, job: Job) -> None:
    from sweeper.app.training import make_train

    steps = make_train(checkpoints / name, "cpu", data)([warm_up])  # apart: what it leaves there is no start of trial 0
    next(steps)
    steps.close()
    train = make_train(checkpoints, "cpu", data)
    pipe.send("ready")
    pipe.recv()
    job(pipe, name, train)
