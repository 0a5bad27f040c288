"""The training core's face: a generator that trains a stack, yields reports and obeys commands."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch

from sweeper.config.files import config_from_tree
from sweeper.core import monitor, precision, rate
from sweeper.core.batches import Resident
from sweeper.core.course import Course
from sweeper.core.schedule import Schedule
from sweeper.core.stack.choose import Choice, alone, together
from sweeper.core.stack.lane import Lane
from sweeper.core.stream import readers_alive
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.trial import Command, Continue, Outcome, Refill, Report, Stop, Trial


def train(
    trials: Sequence[Trial], data: Dataset, *, device: str = "auto", checkpoints: Path | None = None
) -> Generator[list[Report], list[Command], None]:
    """Trains trials of one shape side by side.

    Yields one report per live lane after every epoch and receives one command per report, in the same order: ``Continue``,
    ``Stop`` (frees the lane; the checkpoint stays only if the outcome is complete) or ``Refill`` (the new trial takes the lane; the
    old one's checkpoint stays only if it had ended). A lane whose report says ``ended`` is over whatever the answer.
    It ends when every lane is free. A trial's numbers depend on its config and seed alone, not on its neighbours. Trials are trained
    one model after another unless their config says ``engine: stacked``; ``sweeper.core.trainer`` finds out what is faster.

    A trial of whose interrupted attempt something was saved in ``checkpoints`` goes on from there: its old reports come first, one by one
    in rounds of their own.

    Report metrics: ``train_loss`` (plain, on the rows as they were augmented; a blend of two counts by the target of its larger share),
    ``val_loss``, ``lr`` (last step's), ``grad_norm`` (mean over the epoch's steps, before clipping),
    ``seconds`` (of the epoch for the whole stack, with evaluation); ``train_accuracy``, ``val_accuracy``, ``val_f1_macro``
    and, where it is searched, ``val_auroc``; or ``val_mae``, ``val_rmse`` (in the target's units) and ``val_r2``;
    ``skipped_steps`` with fp16.

    Args:
        trials: at least one; all of one shape.
        data: prepared; training and validation part are copied to the device.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        checkpoints: where ``<trial number>/`` gets the best epoch; None: nothing is written.

    Raises:
        InputError: a config does not fit the data, such as a batch larger than the training part.
        InfrastructureError: the disk refused a checkpoint.
    """
    resident = Resident.of(data, pick_device(device))
    choice = alone(trials[0], resident)
    try:
        yield from run(trials, resident, choice, checkpoints)
    finally:
        choice.dismiss(resident)


def run(
    trials: Sequence[Trial], resident: Resident, choice: Choice, checkpoints: Path | None
) -> Generator[list[Report], list[Command], None]:
    """``train`` by an engine that has been chosen, on data that is on its device."""
    set_threads(trials[0], resident)
    stack = choice.stack(trials, resident)
    first = stack.lane(0)
    reasons = [choice.reason, precision.choose(first.config.training.precision, resident.device)[1], rate.told(first.config)]
    how = "; ".join([*reasons, f"{first.parameters:,} parameters"])

    def course(lane: Lane) -> Course:
        return Course(lane, resident, checkpoints, choice.engine, how)

    courses = {slot: course(stack.lane(slot)) for slot in range(len(trials))}
    while courses:
        reports = {slot: this.past.popleft() for slot, this in courses.items() if this.past}
        if not reports:
            started = time.perf_counter()
            with readers_alive():
                found = stack.run_epoch()
            seconds = time.perf_counter() - started
            speed = {"seconds": seconds, **monitor.machine(len(found) * len(resident.train), seconds, resident.device)}
            reports = {slot: courses[slot].report(metrics | monitor.kept(speed, metrics)) for slot, metrics in found.items()}
        commands = yield list(reports.values())
        for slot, command in zip(reports, commands, strict=True):
            this = courses[slot]
            match command:
                case Continue() if not this.over:
                    continue
                case Stop(outcome=Outcome.COMPLETE):
                    this.commit()
                case Stop():
                    this.discard()
                case Refill() if not this.over:
                    this.discard()
            if isinstance(command, Refill):
                courses[slot] = course(stack.put(slot, command.trial))
            else:
                stack.drop(slot)
                del courses[slot]


def record_losses(trials: Sequence[Trial], data: Dataset, schedule: Schedule | None, steps: int, *, device: str = "auto") -> np.ndarray:
    """The training loss before each optimizer step: the same stack, step, precision and clipping as in training.

    Args:
        trials: as in ``train``.
        data: as in ``train``; passes over the training part are repeated as needed.
        schedule: multiplier of each config's peak learning rate by step; None: each config's own schedule.
        steps: how many to take.
        device: as in ``train``.

    Returns:
        float32 ``[K, steps]``. After a trial's first loss that is not finite it is not trained on, and the rest of its row is NaN.

    Raises:
        InputError: a config does not fit the data.
    """
    return record_scores(trials, data, schedule, [steps], device=device, validate=False)[0]


def record_scores(
    trials: Sequence[Trial], data: Dataset, schedule: Schedule | None, pieces: Sequence[int], *, device: str = "auto", validate: bool = True
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """``record_losses``, with a look at the validation part after each of some pieces, every one of which begins a new pass.

    As many trials as ``sweeper.core.stack.choose.together`` allows are in memory at a time.

    Args:
        trials: as in ``train``.
        data: as in ``train``.
        schedule: as in ``record_losses``.
        pieces: steps of each.
        device: as in ``train``.
        validate: False: no look, and no scores.

    Returns:
        The losses, float32 ``[K, steps]`` as those of ``record_losses``; and ``val_loss`` and the task's other scores by name, float64
        ``[K, pieces]``. NaN once a trial's loss is not finite: scores of a broken model are numbers that mean nothing.

    Raises:
        InputError: a config does not fit the data.
    """
    resident = Resident.of(data, pick_device(device))
    set_threads(trials[0], resident)
    choice = together(trials[0], resident)
    losses: list[np.ndarray] = []
    scores: list[list[dict[str, float]]] = []
    try:
        for first in range(0, len(trials), choice.lanes):
            group = trials[first : first + choice.lanes]
            stack = choice.stack(group, resident, schedule, sum(pieces))
            recorded, seen = [], []
            for steps in pieces:
                recorded.append(stack.record(steps).numpy())
                seen.append(stack.validate() if validate else {})
            losses.append(np.concatenate(recorded, axis=1))
            scores += [[piece[slot] for piece in seen] for slot in range(len(group))] if validate else []
    finally:
        choice.dismiss(resident)
    found = np.concatenate(losses)
    gone = np.logical_or.accumulate(~np.isfinite(found), axis=1)
    found[:, 1:][gone[:, :-1]] = np.nan
    if not scores:
        return found, {}
    told = {name: np.array([[piece[name] for piece in lane] for lane in scores]) for name in scores[0][0] if name.startswith("val_")}
    sound = ~gone[:, np.cumsum(pieces) - 1] & np.isfinite(told["val_loss"])
    return found, {name: np.where(sound, values, np.nan) for name, values in told.items()}


def set_threads(trial: Trial, resident: Resident) -> None:
    """On a CPU torch takes as many threads as the config says that a worker has cores."""
    if resident.device.type == "cpu":
        torch.set_num_threads(config_from_tree(trial.config).resources.cpus_per_worker)


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is a GPU if there is one.

    Raises:
        InputError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has one for each kind of device
        found = f"{name!r} cannot be used: {str(error).partition(chr(10))[0]}"
        raise InputError.of("device", "", found, "cpu, auto, or a device of this machine, such as cuda") from error
    return torch.device(name)
