"""A model on disk: safetensors and JSON in one folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes

from sweeper.errors import InfrastructureError, InputError

FORMAT = 2
TENSORS = "model.safetensors"
META = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """A model's state and what belongs to it.

    Attributes:
        state: tensors by name, on the CPU.
        config: the trial's complete config, as plain data.
        epoch: 1-based.
        metrics: of that epoch.
        input_shape: shape of one row.
        outputs: classes, or 1.
    """

    state: Mapping[str, torch.Tensor]
    config: Mapping[str, Any]
    epoch: int
    metrics: Mapping[str, float]
    input_shape: tuple[int, ...]
    outputs: int


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Fills a temporary sibling by ``write``, brings it to the disk and puts it in the place of ``folder``.

    A crash at any moment leaves the old folder or the new one; between the two renames the old one bears the name ``.NAME.old``,
    which ``resolve`` finds.

    Raises:
        InfrastructureError: the disk refused.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    old = folder.with_name(f".{folder.name}.old")
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        for path in sorted(temporary.iterdir()):
            _sync(path)
        _sync(temporary)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        temporary.rename(folder)
        _sync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise InfrastructureError(f"could not write {folder}: {error}") from error


def resolve(folder: Path) -> Path:
    """Where the folder's content is, also after a crash between the two renames."""
    old = folder.with_name(f".{folder.name}.old")
    return old if not folder.exists() and old.exists() else folder


def remove(folder: Path) -> None:
    """Removes a checkpoint if there is one."""
    for path in (folder, folder.with_name(f".{folder.name}.old")):
        if path.exists():
            shutil.rmtree(path)


def write_into(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the two files of a checkpoint into an existing folder."""
    tensors = tensor_bytes(
        {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in checkpoint.state.items()}
    )
    meta = {
        "format": FORMAT,
        "epoch": checkpoint.epoch,
        "metrics": dict(checkpoint.metrics),
        "input_shape": list(checkpoint.input_shape),
        "outputs": checkpoint.outputs,
        "sha256": hashlib.sha256(tensors).hexdigest(),
        "config": checkpoint.config,
    }
    (folder / TENSORS).write_bytes(tensors)
    (folder / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Commits a checkpoint to ``folder``, replacing an older one.

    Raises:
        InfrastructureError: the disk refused.
    """
    write_folder(folder, lambda temporary: write_into(temporary, checkpoint))


def load(folder: Path) -> Checkpoint:
    """Reads a checkpoint and verifies the tensors' sha256.

    Raises:
        InputError: there is none, it is of another format, or it is damaged.
    """
    folder = resolve(folder)
    try:
        tensors = (folder / TENSORS).read_bytes()
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise _damaged(folder, f"format {meta['format']}; this version reads format {FORMAT}")
        if hashlib.sha256(tensors).hexdigest() != meta["sha256"]:
            raise _damaged(folder, f"{TENSORS} is damaged: its sha256 is not the one in {META}")
        return Checkpoint(
            state=parse_tensors(tensors),
            config=meta["config"],
            epoch=meta["epoch"],
            metrics=meta["metrics"],
            input_shape=tuple(meta["input_shape"]),
            outputs=meta["outputs"],
        )
    except FileNotFoundError as error:
        raise _damaged(folder, f"no checkpoint here: {Path(error.filename).name} is missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{META} is damaged: {error!r}") from error
    except SafetensorError as error:
        raise _damaged(folder, f"{TENSORS} is damaged: {error}") from error
    except OSError as error:
        raise InfrastructureError(f"could not read {folder}: {error}") from error


def _damaged(folder: Path, found: str) -> InputError:
    return InputError.of(str(folder), "", found, "", "train it again, or take another checkpoint")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
