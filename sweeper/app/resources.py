"""How many workers a sweep gets, checked against what is there before anything is created."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sweeper.config.schema import Resources
from sweeper.errors import InputError, Problem


@dataclass(frozen=True)
class Slots:
    """What each worker gets, and how many there are.

    Attributes:
        workers: worker processes at a time; None: as many as the cluster has room for.
        cpus: CPUs of each: torch threads, times the processes of a trial.
        gpus: GPUs of each; a fraction shares one.
    """

    workers: int | None
    cpus: int
    gpus: float

    @property
    def device(self) -> str:
        """What trials are trained on: never a GPU that the space did not ask for."""
        return "auto" if self.gpus else "cpu"


def cpus_here() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def gpus_here() -> int:
    """NVIDIA GPUs that this process may use, told by the driver so that torch need not be imported."""
    there = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if visible is None else min(there, len([name for name in visible.split(",") if name.strip() not in {"", "-1"}]))


def slots(wanted: Resources, source: str, *, cluster: bool) -> Slots:
    """The slots of a sweep.

    ``auto`` is one worker per GPU where there are GPUs, else one per ``cpus_per_worker`` CPUs; where several processes train a trial, a
    worker takes as many times the CPUs and the GPU.

    Args:
        wanted: the space's ``resources``.
        source: named in errors.
        cluster: a Ray cluster elsewhere decides how much there is, so nothing is checked here; it runs as many as fit.

    Raises:
        InputError: more workers than CPUs or GPUs, or GPUs where there are none.
    """
    cpus, gpus, processes = cpus_here(), gpus_here(), wanted.processes
    per_process = (1.0 if gpus and not cluster else 0.0) if wanted.gpus_per_worker == "auto" else float(wanted.gpus_per_worker)
    per_worker, cpus_each = per_process * processes, wanted.cpus_per_worker * processes
    if cluster:
        return Slots(None if wanted.workers == "auto" else wanted.workers, cpus_each, per_worker)
    fit = cpus // cpus_each
    if per_worker:
        fit = min(fit, int(gpus / per_worker))
    problems = []
    if per_worker and not gpus:
        found = f"{wanted.gpus_per_worker} GPUs per worker, and there is none here"
        problems.append(Problem(source, "resources.gpus_per_worker", found, "0 or auto", "--set resources.gpus_per_worker=0"))
    elif processes > 1 and per_worker > gpus:
        found = f"{processes} processes per trial with a GPU each, and there are {gpus} GPUs here"
        hint = "--set resources.gpus_per_worker=0 trains on CPUs"
        problems.append(Problem(source, "resources.processes", found, f"1 to {gpus}", hint))
    elif wanted.cpus_per_worker > cpus:
        found = f"{wanted.cpus_per_worker} CPUs per worker, and there are {cpus} here"
        problems.append(Problem(source, "resources.cpus_per_worker", found, f"1 to {cpus}", f"--set resources.cpus_per_worker={cpus}"))
    elif cpus_each > cpus:
        most = cpus // wanted.cpus_per_worker
        found = f"{processes} processes per trial with {wanted.cpus_per_worker} CPUs each, and there are {cpus} here"
        problems.append(Problem(source, "resources.processes", found, f"1 to {most}", f"--set resources.processes={most}"))
    elif wanted.workers != "auto" and wanted.workers > fit:
        found = f"{wanted.workers} workers, and there is room for {fit} here ({cpus} CPUs, {gpus} GPUs)"
        problems.append(Problem(source, "resources.workers", found, f"1 to {fit}, or auto", "--set resources.workers=auto"))
    if problems:
        raise InputError(problems)
    return Slots(fit if wanted.workers == "auto" else wanted.workers, cpus_each, per_worker)
