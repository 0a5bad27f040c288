"""Two processes read their own shares of files, and train what one process trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sweeper.config.schema import Data
from sweeper.core import batches
from sweeper.core.batches import Resident
from sweeper.core.diagnose import WATCHED
from sweeper.core.parallel import crew
from sweeper.core.parallel.stack import LedStack
from sweeper.core.stack.choose import alone
from sweeper.core.stack.plain import PlainStack
from sweeper.data.prepare import prepare
from sweeper.data.stream import Streamed
from tests.core.driving import CLOCK

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where this process may use one core only

MLP = {"family": "mlp", "width": 16, "dropout": 0.2}
PROCESSES = {"processes": 2}


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resident]:
    """Rows for three batches of 32 and one of 15, which two processes share as 7 and 8; read ahead by a process of the loader."""
    folder, rng = tmp_path_factory.mktemp("streamed"), np.random.default_rng(0)
    np.save(folder / "x.npy", rng.normal(size=(185, 6)))
    np.save(folder / "y.npy", rng.integers(0, 3, 185))
    found = Resident.of(prepare(Data(source=str(folder), stream=True, loader_workers=1), "classification"), torch.device("cpu"))
    assert found.streamed
    yield found
    crew.dismiss(found)


@pytest.mark.parametrize(
    "parts",
    [{"training": {"batch_size": 32}}, {"training": {"batch_size": 32, "class_weights": "balanced"}, "augment": {"mixup": 0.2}}],
    ids=["own rows", "whole batches, augmented"],
)
def test_two_processes_train_what_one_trains(
    streamed: Resident, make_trial: Any, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Any]
) -> None:
    """Chunks of a step or two here, of the whole epoch in the other process."""
    monkeypatch.setattr(batches, "CHUNK_ROWS", 64)
    one = PlainStack([make_trial(seed=3, model=MLP, **parts)], streamed)
    two = LedStack([make_trial(seed=3, model=MLP, resources=PROCESSES, **parts)], streamed)
    for _ in range(2):
        expected, found = one.run_epoch()[0], two.run_epoch()[0]
        assert found.keys() == expected.keys()
        for name in expected.keys() - CLOCK:
            assert found[name] == pytest.approx(expected[name], rel=1e-3 if name.startswith(WATCHED) else 2e-5, abs=1e-7), name


def test_a_process_reads_its_own_rows_only(streamed: Resident, make_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of every batch, and half of the validation part, rounded; and who trains how is told."""
    trial = make_trial(model=MLP, training={"batch_size": 32, "monitor": False}, resources=PROCESSES)
    assert alone(trial, streamed).reason.startswith("plain: data-parallel over 2 processes")
    read: list[int] = []
    rows_of = Streamed.__getitem__

    def counted(self: Streamed, index: Any) -> np.ndarray:
        found = rows_of(self, index)
        read.append(len(found))
        return found

    monkeypatch.setattr(Streamed, "__getitem__", counted)
    # A process of the loader would count for itself.
    for part in (streamed.train, streamed.val):
        monkeypatch.setattr(part.x, "source", _without_loader(part.x.source))  # type: ignore[union-attr]
    LedStack([trial], streamed).run_epoch()
    assert sum(read) == (16 * 3 + 7) + 19


def _without_loader(source: Streamed) -> Streamed:
    return Streamed(source.reader, source.rows, source.preprocessing, 0)
