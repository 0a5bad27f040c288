"""Checkpoints on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from sweeper.core import checkpoint
from sweeper.core.checkpoint import Checkpoint
from sweeper.errors import InfrastructureError, InputError


def sample(value: float = 1.0) -> Checkpoint:
    """A checkpoint of two tensors."""
    state = {"weight": torch.full((2, 3), value), "steps": torch.tensor(7)}
    return Checkpoint(state, {"name": "x", "training": {"seed": 3}}, 4, {"val_loss": 0.1 + 0.2, "grad_norm": math.inf}, (3,), 2)


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    """Tensors, config, metrics and shapes come back."""
    saved = sample()
    checkpoint.save(tmp_path / "deep" / "0", saved)
    found = checkpoint.load(tmp_path / "deep" / "0")
    assert all(torch.equal(found.state[name], tensor) for name, tensor in saved.state.items())
    assert (found.config, found.epoch, found.metrics, found.input_shape, found.outputs) == (saved.config, 4, saved.metrics, (3,), 2)


def test_saving_again_replaces_the_old_and_leaves_nothing_else(tmp_path: Path) -> None:
    """One folder with two files."""
    for value in (1.0, 2.0):
        checkpoint.save(tmp_path / "0", sample(value))
    assert checkpoint.load(tmp_path / "0").state["weight"][0, 0] == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert {path.name for path in (tmp_path / "0").iterdir()} == {"model.safetensors", "checkpoint.json"}


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """An error while writing the new one: the old one is there, and no rubbish beside it."""
    checkpoint.save(tmp_path / "0", sample(1.0))

    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(InfrastructureError, match="No space left"):
        checkpoint.write_folder(tmp_path / "0", fail)
    assert checkpoint.load(tmp_path / "0").state["weight"][0, 0] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_a_crash_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    """The old checkpoint is found under its other name, and the next save cleans up."""
    checkpoint.save(tmp_path / "0", sample(1.0))
    (tmp_path / "0").rename(tmp_path / ".0.old")
    assert checkpoint.load(tmp_path / "0").state["weight"][0, 0] == 1.0
    checkpoint.save(tmp_path / "0", sample(2.0))
    assert checkpoint.load(tmp_path / "0").state["weight"][0, 0] == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def flip(path: Path) -> None:
    """Changes the last byte."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def rewrite(path: Path, **changes: object) -> None:
    """Changes keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: flip(folder / "model.safetensors"), "model.safetensors is damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "model.safetensors is damaged"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "checkpoint.json").unlink(), "checkpoint.json is missing"),
        (lambda folder: (folder / "checkpoint.json").write_text('{"format": 1,'), "checkpoint.json is damaged"),
        (lambda folder: (folder / "checkpoint.json").write_text("[]"), "checkpoint.json is damaged"),
        (lambda folder: (folder / "checkpoint.json").write_bytes(b"\xff\xfe"), "checkpoint.json is damaged"),
        (lambda folder: rewrite(folder / "checkpoint.json", format=99), "format 99; this version reads format 2"),
        (lambda folder: rewrite(folder / "checkpoint.json", input_shape=None), "checkpoint.json is damaged"),
    ],
)
def test_damage_is_told_in_a_sentence(tmp_path: Path, damage, said: str) -> None:
    """Every kind of damage is bad input that names the folder and the file."""
    folder = tmp_path / "0"
    checkpoint.save(folder, sample())
    damage(folder)
    with pytest.raises(InputError, match=said) as caught:
        checkpoint.load(folder)
    assert str(folder) in str(caught.value)


def test_tensors_that_match_their_sum_but_are_no_safetensors_are_told(tmp_path: Path) -> None:
    """The sha256 alone does not make a file readable."""
    import hashlib

    folder = tmp_path / "0"
    checkpoint.save(folder, sample())
    (folder / "model.safetensors").write_bytes(b"nothing")
    rewrite(folder / "checkpoint.json", sha256=hashlib.sha256(b"nothing").hexdigest())
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        checkpoint.load(folder)


def test_removing_twice_is_the_same_as_once(tmp_path: Path) -> None:
    """A trial without a checkpoint may be removed too."""
    checkpoint.save(tmp_path / "0", sample())
    checkpoint.remove(tmp_path / "0")
    checkpoint.remove(tmp_path / "0")
    assert not list(tmp_path.iterdir())
