"""Interrupted trials are taken up where they were saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.core import checkpoint, course, resume
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset
from sweeper.trial import Outcome, Refill, Stop
from tests.core.driving import GO, PRUNE, curve, cut, of, script

PARTS: dict[str, Any] = {"model": {"width": 13, "norm": "batch", "dropout": 0.3}}
OPTIMIZERS: dict[str, Any] = {
    **{name: {"name": name} for name in ("adamw", "adam", "rmsprop", "lion", "muon", "sgd")},
    "rmsprop-momentum": {"name": "rmsprop", "momentum": 0.9},
}
ENGINES = pytest.mark.parametrize(
    "training", [{"engine": "plain"}, {"engine": "stacked"}, {"precision": "fp16"}], ids=["plain", "stacked", "fp16"]
)


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Dataset:
    """A few digits."""
    return cut(digits, 100, 30)


@pytest.fixture(autouse=True)
def _always_save(monkeypatch: pytest.MonkeyPatch) -> None:
    """After every epoch."""
    monkeypatch.setattr(course, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(course, "SAVE_SHARE", 1e9)


def interrupt(trials: list[Any], data: Dataset, folder: Path, epochs: int) -> None:
    """Trains so many epochs and is killed."""
    training = train(trials, data, device="cpu", checkpoints=folder)
    next(training)
    for _ in range(epochs - 1):
        training.send([GO for _ in trials])
    training.close()


@ENGINES
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_trial_goes_on_as_if_it_had_not_been_interrupted(
    small: Dataset, make_trial: Any, tmp_path: Path, training: dict[str, Any], optimizer: str
) -> None:
    """The old reports are told again, the new ones have the bits of an undisturbed course, and so has the checkpoint."""
    trial = make_trial(4, seed=4, **PARTS, optimizer=OPTIMIZERS[optimizer], training={**training, "epochs": 5})
    interrupt([trial], small, tmp_path / "a", 3)
    assert (tmp_path / "a" / "4.unfinished").exists()
    resumed = script(train([trial], small, device="cpu", checkpoints=tmp_path / "a"))
    whole = script(train([trial], small, device="cpu", checkpoints=tmp_path / "b"))
    assert curve(of(4, resumed)) == curve(of(4, whole))
    assert [(report.how or "").endswith("taken up after epoch 3") for report in of(4, resumed)] == [True, False, False, False, False]
    found, expected = (checkpoint.load(tmp_path / name / "4") for name in "ab")
    assert found.epoch == expected.epoch
    assert all(torch.equal(found.state[name], tensor) for name, tensor in expected.state.items())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["4"]


@ENGINES
def test_augmentation_and_accumulation_go_on(small: Dataset, make_trial: Any, tmp_path: Path, training: dict[str, Any]) -> None:
    """What is drawn in an epoch depends on the epoch, and no gradient is left over at its end."""
    training = {**training, "epochs": 3, "batch_size": 16, "accumulate": 3, "class_weights": "balanced"}
    trial = make_trial(4, seed=4, augment={"mixup": 0.2, "noise": 0.1, "rotate": 15.0, "erase": 0.2}, training=training)
    interrupt([trial], small, tmp_path / "a", 2)
    resumed, whole = (script(train([trial], small, device="cpu", checkpoints=tmp_path / name)) for name in "ab")
    assert curve(of(4, resumed)) == curve(of(4, whole))


@ENGINES
def test_drops_on_a_plateau_go_on(small: Dataset, make_trial: Any, tmp_path: Path, training: dict[str, Any]) -> None:
    """The drops that there were stay, and patience that was half spent is half spent, also in another lane beside others."""
    schedule = {"name": "reduce_on_plateau", "patience": 2, "factor": 0.5}
    training = {**training, "epochs": 7, "patience": None, "min_delta": 100.0}
    trials = [make_trial(n, seed=n, **PARTS, schedule=schedule, training=training) for n in range(2)]
    interrupt(trials[1:], small, tmp_path, 4)
    resumed = script(train(trials, small, device="cpu", checkpoints=tmp_path))
    whole = [script(train([trial], small, device="cpu")) for trial in trials]
    assert [curve(of(n, resumed)) for n in range(2)] == [curve(of(n, whole[n])) for n in range(2)]
    peak = trials[1].config["optimizer"]["lr"]
    assert [report.metrics["lr"] / peak for report in of(1, resumed)] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25])


@ENGINES
def test_it_is_taken_up_in_another_lane_beside_others(small: Dataset, make_trial: Any, tmp_path: Path, training: dict[str, Any]) -> None:
    """Also in a refill: fresh and interrupted trials share a stack, and every course is the trial's own."""
    trials = [make_trial(n, seed=n, **PARTS, training={**training, "epochs": 4}) for n in range(4)]
    interrupt(trials[:2], small, tmp_path, 2)
    rounds = script(train([trials[2], trials[1], trials[3]], small, device="cpu", checkpoints=tmp_path), {}, {}, {2: Refill(trials[0])})
    for number in (0, 1, 3):
        assert curve(of(number, rounds)) == curve(of(number, script(train([trials[number]], small, device="cpu"))))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "3"]


def test_early_stopping_goes_on_counting(small: Dataset, make_trial: Any, tmp_path: Path) -> None:
    """Patience that was half spent is half spent."""
    trial = make_trial(0, **PARTS, training={"epochs": 20, "patience": 4, "min_delta": 100.0})
    interrupt([trial], small, tmp_path, 3)
    assert script(train([trial], small, device="cpu", checkpoints=tmp_path))[-1][0].epoch == 5


@pytest.mark.parametrize("answer", [PRUNE, Stop(Outcome.CANCELLED, "user")])
def test_what_is_stopped_leaves_nothing(small: Dataset, make_trial: Any, tmp_path: Path, answer: Stop) -> None:
    """Also when it is stopped by one of the reports that are told again."""
    trial = make_trial(0, **PARTS)
    interrupt([trial], small, tmp_path, 2)
    rounds = script(train([trial], small, device="cpu", checkpoints=tmp_path), {0: answer})
    assert [report.epoch for report in of(0, rounds)] == [1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / resume.META).write_text("{"),
        lambda folder: (folder / resume.META).unlink(),
        lambda folder: (folder / resume.TENSORS).write_bytes(b"x"),
        lambda folder: (folder / resume.META).write_text((folder / resume.META).read_text().replace(torch.__version__, "0.1")),
        lambda folder: (folder / resume.META).write_text((folder / resume.META).read_text().replace('"width": 13', '"width": 14')),
    ],
)
def test_what_cannot_be_used_is_started_again(small: Dataset, make_trial: Any, tmp_path: Path, spoil: Any) -> None:
    """Damaged, of another torch or of another config: the trial begins at its beginning, with the same bits."""
    trial = make_trial(0, **PARTS)
    interrupt([trial], small, tmp_path, 2)
    spoil(tmp_path / "0.unfinished")
    rounds = script(train([trial], small, device="cpu", checkpoints=tmp_path))
    assert "taken up" not in (rounds[0][0].how or "")
    assert curve(of(0, rounds)) == curve(of(0, script(train([trial], small, device="cpu"))))


def test_another_engine_starts_again(small: Dataset, make_trial: Any, tmp_path: Path) -> None:
    """Its bits are others."""
    interrupt([make_trial(0, **PARTS)], small, tmp_path, 2)
    rounds = script(train([make_trial(0, **PARTS, training={"engine": "stacked"})], small, device="cpu", checkpoints=tmp_path))
    assert [report.epoch for report in of(0, rounds)] == [1, 2, 3]
    assert "taken up" not in (rounds[0][0].how or "")


def test_saving_takes_little_of_the_time(small: Dataset, make_trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is saved before its time, and a trial that takes long to write is saved less often."""
    saved = []
    monkeypatch.setattr(resume, "save", lambda *arguments: saved.append(len(arguments[3].reports)))
    monkeypatch.setattr(course, "SAVE_SECONDS", 1000.0)
    script(train([make_trial(0, **PARTS)], small, device="cpu", checkpoints=tmp_path))
    assert saved == []
    monkeypatch.setattr(course, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(course, "SAVE_SHARE", 1e-12)
    script(train([make_trial(0, **PARTS, training={"epochs": 5})], small, device="cpu", checkpoints=tmp_path))
    assert saved == [1]
