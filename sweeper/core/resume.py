"""An unfinished trial on disk: all that a later attempt needs to go on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes

from sweeper.core.checkpoint import resolve, write_folder
from sweeper.trial import Report, Trial

FORMAT = 1
TENSORS = "state.safetensors"
META = "course.json"
LIVE, BEST = "live.", "best."


@dataclass(frozen=True)
class Unfinished:
    """Where a trial stood.

    Attributes:
        reports: of all its epochs so far, in order.
        memory: of its lane (``Lane.memory``), on the CPU.
        best: the model's state at the best epoch; empty before the first finite value.
    """

    reports: Sequence[Report]
    memory: Mapping[str, torch.Tensor]
    best: Mapping[str, torch.Tensor]


def folder_of(checkpoints: Path, trial: Trial) -> Path:
    """Where it lies, beside the trial's checkpoint."""
    return checkpoints / f"{trial.number}.unfinished"


def save(folder: Path, trial: Trial, engine: str, state: Unfinished) -> None:
    """Commits it, in place of an older one.

    Raises:
        InfrastructureError: the disk refused.
    """
    tensors = {LIVE + name: tensor for name, tensor in state.memory.items()} | {BEST + name: tensor for name, tensor in state.best.items()}
    meta = {
        "format": FORMAT,
        "engine": engine,
        "torch": torch.__version__,
        "config": trial.config,
        "reports": [asdict(report) for report in state.reports],
    }

    def write(temporary: Path) -> None:
        (temporary / TENSORS).write_bytes(tensor_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))
        (temporary / META).write_text(json.dumps(meta), encoding="utf-8")

    write_folder(folder, write)


def load(folder: Path, trial: Trial, engine: str) -> Unfinished | None:
    """Reads it; None when there is none, when it is damaged, or when another config, engine or version of torch wrote it.

    Starting from the beginning is always right, so nothing here is an error.
    """
    folder = resolve(folder)
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if [meta["format"], meta["engine"], meta["torch"], meta["config"]] != [FORMAT, engine, torch.__version__, dict(trial.config)]:
            return None
        tensors = parse_tensors((folder / TENSORS).read_bytes())
        reports = [Report(**report) for report in meta["reports"]]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    live, best = ({name[len(part) :]: t for name, t in tensors.items() if name.startswith(part)} for part in (LIVE, BEST))
    return Unfinished(reports, live, best)
