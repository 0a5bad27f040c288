"""How the runners get the core's ``train`` for the trials of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.ports import Train

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset


def make_train(checkpoints: Path, device: str, data: Dataset) -> Train:
    """The core over this data on this device, committing best epochs under ``checkpoints``; imports torch."""
    from sweeper.core.trainer import Trainer

    return Trainer(data, device=device, checkpoints=checkpoints)
