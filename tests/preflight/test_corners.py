"""The extremes of a space, and what a sweep of it will cost."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from sweeper.config.schema import Mlp
from sweeper.config.space import Space
from sweeper.core.batches import Resident
from sweeper.preflight import duration as timing
from sweeper.preflight.corners import Corner, built, extremes, largest_step
from sweeper.preflight.duration import Sizing, duration, span
from sweeper.preflight.finding import Status
from sweeper.preflight.memory import COPIES, free_bytes, memory, size, training_bytes

from .conftest import config

SPACE = """
name: s
model:
  choice:
    - {family: mlp, width: {choice: [16, 64]}, depth: {int: [1, 4]}, norm: {choice: [none, batch, layer]}}
    - {family: mlp, width: 8, dropout: {uniform: [0.1, 0.5]}}
optimizer: {choice: [{name: adamw, lr: {log: [1e-4, 1e-2]}}, {name: sgd, lr: {log: [1e-3, 1.0]}}]}
training: {epochs: 9, batch_size: {choice: [8, 16]}}
search: {trials: 12}
"""


def test_every_branch_has_its_smallest_and_largest() -> None:
    """Both sub-trees, all options, the bounds of width and depth; each config once."""
    found = list(extremes(Space.parse(SPACE, "s.yaml")))
    shapes = {(one.model.width, one.model.depth) for one in found if isinstance(one.model, Mlp)}
    assert {(16, 1), (64, 4), (8, 2)} <= shapes
    assert {one.model.norm for one in found if isinstance(one.model, Mlp)} == {"none", "batch", "layer"}
    assert {one.optimizer.name for one in found} == {"adamw", "sgd"}
    assert len({one.model_dump_json() for one in found}) == len(found)


def test_a_forbidden_corner_has_neighbours() -> None:
    """Where depth 4 with width 64 is never tried, depth 3 with 64 and depth 4 with 16 are the largest."""
    text = "name: s\nmodel: {family: mlp, width: {choice: [16, 64]}, depth: {int: [1, 4]}}\nforbid: [{model.depth: 4, model.width: 64}]\n"
    shapes = {(one.model.width, one.model.depth) for one in extremes(Space.parse(text, "s.yaml")) if isinstance(one.model, Mlp)}
    assert {(64, 3), (16, 4)} <= shapes
    assert (64, 4) not in shapes


def test_corners_are_built_without_memory(resident: Resident) -> None:
    """A model of 34 billion numbers is counted like a small one; the smallest comes first."""
    text = "name: s\nmodel: {family: mlp, width: {choice: [16, 65536]}, depth: 9}\ntraining: {batch_size: 16}\n"
    found, corners = built(Space.parse(text, "s.yaml"), resident)
    assert found.status is Status.PASS
    assert corners[0].parameters == 6 * 16 + 16 + 8 * (16 * 16 + 16) + 16 * 3 + 3
    assert corners[-1].parameters > 34e9
    assert f"{corners[0].parameters:,} parameters, mlp (width 16, depth 9)" in found.sentence


def test_what_does_not_fit_is_not_tried(resident: Resident) -> None:
    """The largest step is refused by the estimate, before memory is asked for."""
    huge = config(model={"family": "mlp", "width": 65536, "depth": 9}, training={"batch_size": 16})
    found = largest_step(Corner(huge, 0), resident, 2**30)
    assert found.status is Status.FAIL
    assert "not tried" in found.sentence
    assert memory(huge, resident, 1, 2**34).status is Status.FAIL


def test_a_corner_that_cannot_be_trained(resident: Resident) -> None:
    """Batch norm with batches of one, and images that are none, are told with the key; the others are still there."""
    text = "name: s\nmodel: {family: mlp, norm: {choice: [none, batch]}}\ntraining: {batch_size: {choice: [1, 16]}}\n"
    found, corners = built(Space.parse(text, "s.yaml"), resident)
    assert found.status is Status.FAIL
    assert "training.batch_size 1 with model.norm: batch" in found.sentence
    assert corners
    found, corners = built(Space.parse("name: s\nmodel: {family: cnn}\ntraining: {batch_size: 16}\n", "s.yaml"), resident)
    assert (found.status, corners) == (Status.FAIL, [])


def test_the_largest_takes_a_real_step(resident: Resident) -> None:
    """Its loss is told."""
    found = largest_step(Corner(config(), 0), resident, 2**34)
    assert found.status is Status.PASS
    assert "a training step of mlp (width 16) with batches of 16 works, loss 1." in found.sentence


def test_memory_counts_what_training_keeps(resident: Resident) -> None:
    """Parameters five times, what a batch leaves for the backward pass, and the data; twice the batch leaves about twice as much."""
    needed = training_bytes(config(), resident)
    assert needed.model == COPIES * 4 * (6 * 16 + 16 + 16 * 16 + 16 + 16 * 3 + 3)
    assert needed.data >= 240 * (6 * 4 + 8)
    # Two hidden layers of 16 for a batch of 16, at least once each.
    assert 2 * 16 * 16 * 4 <= needed.activations < 12 * 16 * 16 * 4
    twice = training_bytes(config(training={"batch_size": 32, "epochs": 3}), resident)
    assert twice.activations == pytest.approx(2 * needed.activations, rel=0.2)


def test_processes_share_rows_and_parts_of_the_model(resident: Resident) -> None:
    """Each has half of the activations; with its model in parts half of that too; a worker takes twice what each does."""
    alone, shared, parts = (config(resources=one) for one in ({}, {"processes": 2}, {"processes": 2, "sharding": "fsdp"}))
    whole, half, least = (training_bytes(one, resident) for one in (alone, shared, parts))
    assert (half.model, half.activations) == (whole.model, whole.activations // 2)
    assert (least.model, least.data) == (whole.model // 2, whole.data)
    assert memory(parts, resident, 1, 2 * least.total).status is Status.PASS
    assert memory(parts, resident, 1, 2 * least.total - 1).status is Status.WARN


def test_memory_is_held_against_what_is_free(resident: Resident) -> None:
    """Enough for all workers, for one of two, for none."""
    total = training_bytes(config(), resident).total
    assert memory(config(), resident, 2, 3 * total).status is Status.PASS
    assert memory(config(), resident, 2, total + 1).status is Status.WARN
    assert memory(config(), resident, 2, total - 1).status is Status.FAIL
    assert free_bytes(torch.device("cpu")) > 2**20
    assert [size(n) for n in (2048, 3 * 2**20, 5 * 2**30)] == ["2 KiB", "3.0 MiB", "5.0 GiB"]


def test_halving_saves_epochs() -> None:
    """Of nine epochs with rungs at 2 and 6 by thirds: all train 2, a third 4 more, a ninth the last 3."""
    assert Sizing(12, 2, (2, 6), 3, 2).epochs(9) == pytest.approx(2 + 4 / 3 + 3 / 9)
    assert Sizing(12, 2, (), 3, 2).epochs(9) == 9
    assert Sizing(12, 2, (2, 18), 3, 2).epochs(9) == pytest.approx(2 + 7 / 3)


def test_time_is_trials_times_epochs_over_workers(resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two seconds per epoch, 12 trials of 9 epochs on 2 workers take 108 s; a day and more warns."""
    space = Space.parse(SPACE, "s.yaml")
    monkeypatch.setattr(timing, "epoch_seconds", lambda *_: 2.0)
    found = duration(space, resident, Sizing(12, 2, (), 3, 2))
    assert (found.status, "about 108.0 s on 2 workers" in found.sentence) == (Status.PASS, True)
    found = duration(space, resident, Sizing(12, 2, (2, 6), 3, 2))
    assert "at most 108.0 s, if none is stopped early" in found.sentence
    found = duration(space, resident, Sizing(100_000, 1, (), 3, 2))
    assert (found.status, "20.8 days" in found.sentence) == (Status.WARN, True)


def test_steps_are_timed_for_real(resident: Resident) -> None:
    """An epoch of twelve steps of a small model takes between a microsecond and a minute, and a wider one more operations."""
    seconds = timing.epoch_seconds(config(), resident, 8, {})
    assert 1e-6 < seconds < 60
    assert math.isfinite(seconds)


def test_spans() -> None:
    """As people say them."""
    assert [span(s) for s in (0.0123, 45, 600, 7300, 300_000)] == ["12 ms", "45.0 s", "10.0 min", "2.0 h", "3.5 days"]


def test_free_memory_needs_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Linux's files the machine's own count is taken."""
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    assert free_bytes(torch.device("cpu")) > 2**20
