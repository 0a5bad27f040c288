"""A whole search in a unit test: real spaces, invented learning curves, a simulated clock."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence

from sweeper.config.space import Space
from sweeper.search.past import Past
from sweeper.search.pool import Pool
from sweeper.search.study import Study
from sweeper.trial import Outcome, Report, Stop, Trial, Verdict

EPOCHS = 20

MLP = """
name: mlp
model:
  width: {choice: [32, 64, 128], default: 64}
  depth: {int: [1, 4], default: 2}
  norm: {choice: [none, batch, layer]}
  dropout: {uniform: [0.0, 0.5], default: 0.1, when: {model.norm: [none, layer]}}
optimizer:
  choice:
    - {name: adamw, lr: {log: [1e-5, 1e-1]}, weight_decay: {log: [1e-4, 1e-1]}}
    - {name: sgd, lr: {log: [1e-4, 1.0]}, momentum: {uniform: [0.5, 0.99]}}
training: {epochs: 20}
"""

Curve = Callable[[Trial, int], float]


def space(text: str = MLP, **search: object) -> Space:
    """The space of this text with these keys under ``search``; rungs begin at epoch 2 unless they say otherwise."""
    return Space.parse(text, "mlp.yaml", [f"search.{key}={value}" for key, value in {"grace_epochs": 2, **search}.items()])


def peak_lr(trial: Trial) -> float:
    """The learning rate, whichever the optimizer."""
    return float(trial.config["optimizer"]["lr"])


def falling(trial: Trial, epoch: int) -> float:
    """A smooth curve whose floor is a quadratic bowl around lr 1e-3."""
    return (math.log10(peak_lr(trial)) + 3) ** 2 + 1 / epoch


def report(trial: Trial, epoch: int, value: float, *, ended: str | None = None, **more: float) -> Report:
    """One report with this validation loss, and a training loss that is always finite unless given."""
    return Report(trial.number, epoch, {"train_loss": 1.0, "val_loss": value, **more}, at=float(epoch), ended=ended)


def tell(study: Study, report: Report) -> Verdict:
    """The verdict on one report that comes alone."""
    [verdict] = study.report([report])
    return verdict


def follow(study: Study, trial: Trial, curve: Curve, epochs: int = EPOCHS) -> tuple[list[Report], Verdict]:
    """Train one trial until the study stops it, and close it."""
    reports: list[Report] = []
    while True:
        epoch = len(reports) + 1
        reports.append(report(trial, epoch, curve(trial, epoch), ended=f"all {epochs} epochs" if epoch == epochs else None))
        verdict = tell(study, reports[-1])
        if isinstance(verdict, Stop):
            study.close(trial.number, verdict.outcome)
            return reports, verdict


def search(study: Study, curve: Curve, *, workers: int = 1, lanes: int = 1, epochs: int = EPOCHS) -> list[Past]:
    """Train everything with so many workers; an epoch takes a time that differs by trial. Trials in the order of closing.

    Free lanes are filled with trials of the worker's shape; a worker whose lanes are all free takes another shape.
    """
    pool = Pool(study)
    queue: list[tuple[float, int, int]] = []  # (time, worker, trial number)
    live: dict[int, tuple[Trial, list[Report]]] = {}
    past: list[Past] = []

    def lease(time: float, worker: int, lanes: int, beside: Trial | None = None) -> None:
        trials = pool.choose(str(worker), lanes, beside)
        pool.hand(str(worker), trials)
        for trial in trials:
            live[trial.number] = (trial, [])
            heapq.heappush(queue, (time + pace(trial), worker, trial.number))

    def pace(trial: Trial) -> float:
        return 1 + trial.seed % 97 / 50

    for worker in range(workers):
        lease(0.0, worker, lanes)
    while queue:
        time, worker, number = heapq.heappop(queue)
        trial, reports = live[number]
        epoch = len(reports) + 1
        reports.append(report(trial, epoch, curve(trial, epoch), ended=f"all {epochs} epochs" if epoch == epochs else None))
        verdict = tell(study, reports[-1])
        if not isinstance(verdict, Stop):
            heapq.heappush(queue, (time + pace(trial), worker, number))
            continue
        study.close(number, verdict.outcome)
        pool.close(number)
        past.append(Past(trial, tuple(reports), verdict.outcome))
        lease(time, worker, 1, trial)
        if not any(waiting[1] == worker for waiting in queue):
            lease(time, worker, lanes)
    return past


def all_trials(study: Study, limits: Iterable[int] = ()) -> list[Trial]:
    """Ask until nothing is left, for these numbers of lanes first."""
    asked = [trial for lanes in limits for trial in study.ask(lanes)]
    while more := study.ask(4):
        asked += more
    return asked


def outcomes(past: Sequence[Past]) -> list[Outcome | None]:
    """How the trials ended, by number."""
    return [record.outcome for record in sorted(past, key=lambda record: record.trial.number)]
