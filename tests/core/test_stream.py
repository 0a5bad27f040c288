"""Rows that are read when they are needed train exactly as those in memory do."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweeper.config.schema import Data
from sweeper.core import batches
from sweeper.core.batches import Plan, Resident, in_order, rows_of
from sweeper.core.evaluate import outputs_of
from sweeper.core.loop import record_losses, run, train
from sweeper.core.stack.choose import alone, for_shape, together
from sweeper.core.stream import readers_alive
from sweeper.core.trainer import Trainer
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InfrastructureError
from tests.core.conftest import MakeTrial
from tests.core.driving import GO, curve, of, script

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where this process may use one core only

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
IMAGES, Y = RNG.integers(0, 256, (160, 3, 6, 6), dtype=np.uint8), RNG.integers(0, 3, 160)
MLP = {"family": "mlp", "width": 16}


def of_arrays(folder: Path, stream: bool, x: np.ndarray = IMAGES, **keys: Any) -> Dataset:
    """The arrays from a pair of files."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", Y)
    return prepare(Data(source=str(folder), stream=stream, **keys), "classification")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks to an epoch, so that the order of sums is tried as well."""
    monkeypatch.setattr(batches, "CHUNK_ROWS", 40)


def children() -> set[int]:
    """Processes that this one has started and that have not ended."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(entry.name))
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "parts",
    [
        {"model": {"family": "cnn", "channels": 4}, "augment": {"flip": 0.5, "noise": 0.1, "mixup": 0.2}},
        {"model": {**MLP, "dropout": 0.3}, "training": {"batch_size": 8, "accumulate": 2, "class_weights": "balanced"}},
    ],
    ids=["cnn, augmented", "mlp, accumulated"],
)
def test_the_curve_is_that_of_resident_data(tmp_path: Path, make_trial: MakeTrial, workers: int, parts: dict[str, Any]) -> None:
    """Bit for bit, whoever reads the rows: orders, masks and noise are the trial's, and chunks end where they did."""
    training = {"epochs": 3, "batch_size": 16, "engine": "plain", **parts.get("training", {})}
    trial = make_trial(seed=3, **{**parts, "training": training})
    resident, streamed = (
        script(train([trial], of_arrays(tmp_path, stream, loader_workers=workers), device="cpu")) for stream in (False, True)
    )
    assert curve(of(0, streamed)) == curve(of(0, resident))
    assert len(resident) == 3


def test_a_trial_is_taken_up_where_it_was_left(tmp_path: Path, make_trial: MakeTrial) -> None:
    """An interrupted attempt goes on as if nothing had happened."""
    data, checkpoints = of_arrays(tmp_path / "data", True), tmp_path / "checkpoints"
    trial = make_trial(model={**MLP, "dropout": 0.2}, training={"epochs": 4, "engine": "plain"})
    whole = of(0, script(train([trial], data, device="cpu")))
    resident = Resident.of(data, CPU)
    interrupted: Generator[Any, Any, None] = run([trial], resident, alone(trial, resident), checkpoints)
    next(interrupted)
    interrupted.send([GO])
    interrupted.close()
    assert curve(of(0, script(train([trial], data, device="cpu", checkpoints=checkpoints)))) == curve(whole)


def test_evaluation_reads_pieces(tmp_path: Path) -> None:
    """Outputs of streamed rows are those of resident ones; so are single rows, slices and picked rows."""
    parts = [rows_of(of_arrays(tmp_path, stream).val, CPU) for stream in (False, True)]
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 3))
    one, other = (outputs_of(model, part.x) for part in parts)
    assert torch.equal(one, other)
    for index in (slice(5), slice(3, 20, 4), torch.tensor([7, 1, 1])):
        assert torch.equal(parts[0].take(index).x, parts[1].take(index).x)
        assert torch.equal(parts[0].take(index).y, parts[1].take(index).y)
    assert torch.equal(parts[0].x[4], parts[1].x[4])


def test_streamed_trials_run_plain_and_say_why(tmp_path: Path, make_trial: MakeTrial) -> None:
    """In a sweep, alone and in the range test, whatever the config says."""
    data = Resident.of(of_arrays(tmp_path, True), CPU)
    trial = make_trial(model=MLP, training={"engine": "stacked"})
    for choice in (for_shape(trial, data), alone(trial, data), together(trial, data)):
        assert (choice.engine, choice.lanes) == ("plain", 1)
        assert "streamed" in choice.reason
    assert not Resident.of(of_arrays(tmp_path, False), CPU).streamed


def test_the_range_test_streams(tmp_path: Path, make_trial: MakeTrial) -> None:
    """The losses are those of resident data."""
    trials = [make_trial(number, number, model=MLP, training={"engine": "plain"}) for number in range(2)]
    found = [record_losses(trials, of_arrays(tmp_path, stream), lambda step: 1.0 + step, 7, device="cpu") for stream in (False, True)]
    assert np.array_equal(found[0], found[1])


def test_a_worker_process_opens_the_file_itself(tmp_path: Path) -> None:
    """What is sent to it is small whatever the data, and gives the same rows."""
    data = of_arrays(tmp_path, True, RNG.normal(size=(160, 5000)).astype(np.float32))
    sent = pickle.dumps(data)
    assert len(sent) < 200_000 < data.train.x.shape[0] * data.train.x.shape[1] * 4 / 5
    assert np.array_equal(pickle.loads(sent).train.x[:9], data.train.x[:9])  # noqa: S301 - our own


def test_loaders_end_with_the_trial(tmp_path: Path, make_trial: MakeTrial) -> None:
    """An epoch that is left in its middle, as an interrupt leaves it, and a pruned trial leave no process behind."""
    data = Resident.of(of_arrays(tmp_path, True, loader_workers=2), CPU)
    before = children()
    trial = make_trial(model=MLP, training={"batch_size": 8})
    rows = in_order(data.train, Plan.of(alone(trial, data).stack([trial], data).lane(0).config, len(data.train)), 0, 1)
    next(rows)
    assert children() > before
    rows.close()
    gc.collect()
    assert children() == before
    training = Trainer(of_arrays(tmp_path, True, loader_workers=2), device="cpu")([trial])
    next(training)
    training.close()
    assert children() == before


def test_a_reading_process_that_is_killed_is_no_fault_of_the_trial() -> None:
    """What torch raises then, wherever the main thread is, is told as what it is; other errors stay what they are."""
    with pytest.raises(InfrastructureError, match="a process that read rows ahead has ended"), readers_alive():
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    with pytest.raises(RuntimeError, match="another"), readers_alive():
        raise RuntimeError("another")


HOG = """
import resource
import sys

from sweeper.config.schema import Config, Data
from sweeper.core import batches
from sweeper.core.loop import train
from sweeper.data import readers
from sweeper.data.prepare import prepare
from sweeper.trial import Trial

# An eighth of what is usual, so that an eighth of the data will do.
batches.CHUNK_BYTES //= 8
readers.PIECE_BYTES //= 8
readers.MAPPED_BYTES //= 8
readers.AROUND //= 8

def trained(source):
    config = {"name": "t", "model": {"family": "mlp", "width": 8}, "training": {"epochs": 1, "batch_size": 256, "engine": "plain"}}
    trial = Trial(0, 0, {}, Config.model_validate(config).model_dump(mode="json"), "s")
    next(train([trial], prepare(Data(source=source, stream=True), "classification"), device="cpu"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

before = trained(sys.argv[1])
print(trained(sys.argv[2]) - before)
"""


def test_memory_stays_far_below_the_data(tmp_path: Path) -> None:
    """Hashing, fitting, training and evaluation hold less than half of 96 MB at the peak of a process of its own, pieces being small."""
    noise = RNG.normal(size=(500, 4000)).astype(np.float32)
    for name, rows in (("small", 500), ("big", 6000)):
        (tmp_path / name).mkdir()
        x = np.lib.format.open_memmap(tmp_path / name / "x.npy", mode="w+", dtype=np.float32, shape=(rows, 4000))
        for begin in range(0, rows, 500):
            x[begin : begin + 500] = noise + begin
        x.flush()
        np.save(tmp_path / name / "y.npy", np.arange(rows) % 3)
    command = [sys.executable, "-c", HOG, str(tmp_path / "small"), str(tmp_path / "big")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 48, f"{done.stdout.strip()} MB"
