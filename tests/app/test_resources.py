"""Workers are counted against what is there."""

from __future__ import annotations

from typing import Any

import pytest

from sweeper.app import resources
from sweeper.app.resources import Slots, slots
from sweeper.config.schema import Resources
from sweeper.errors import InputError


def _slots(monkeypatch: pytest.MonkeyPatch, cpus: int, gpus: int, *, cluster: bool = False, **wanted: Any) -> Slots:
    monkeypatch.setattr(resources, "cpus_here", lambda: cpus)
    monkeypatch.setattr(resources, "gpus_here", lambda: gpus)
    return slots(Resources(**wanted), "a.yaml", cluster=cluster)


@pytest.mark.parametrize(
    ("cpus", "gpus", "wanted", "expected"),
    [
        (4, 0, {}, Slots(4, 1, 0.0)),
        (5, 0, {"cpus_per_worker": 2}, Slots(2, 2, 0.0)),
        (16, 2, {}, Slots(2, 1, 1.0)),
        (16, 2, {"gpus_per_worker": 0.25}, Slots(8, 1, 0.25)),
        (16, 2, {"gpus_per_worker": 0}, Slots(16, 1, 0.0)),
        (4, 0, {"workers": 3}, Slots(3, 1, 0.0)),
        (8, 0, {"processes": 2, "cpus_per_worker": 2}, Slots(2, 4, 0.0)),
        (16, 4, {"processes": 2}, Slots(2, 2, 2.0)),
        (16, 1, {"processes": 2, "gpus_per_worker": 0}, Slots(8, 2, 0.0)),
    ],
)
def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch, cpus: int, gpus: int, wanted: dict[str, Any], expected: Slots) -> None:
    """One worker per GPU where there are GPUs, else one per share of CPUs; times the processes of a trial; a number is a number."""
    assert _slots(monkeypatch, cpus, gpus, **wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "path", "found"),
    [
        ({"workers": 5}, "resources.workers", "5 workers, and there is room for 4"),
        ({"cpus_per_worker": 8}, "resources.cpus_per_worker", "8 CPUs per worker, and there are 4"),
        ({"gpus_per_worker": 1.0}, "resources.gpus_per_worker", "there is none here"),
        ({"processes": 3, "cpus_per_worker": 2}, "resources.processes", "3 processes per trial with 2 CPUs each, and there are 4"),
    ],
)
def test_more_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], path: str, found: str) -> None:
    """The message says how much there is."""
    with pytest.raises(InputError) as refused:
        _slots(monkeypatch, 4, 0, **wanted)
    (problem,) = refused.value.problems
    assert problem.path == path
    assert found in problem.found


def test_each_process_wants_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are GPUs, but fewer than processes: the message says how to train on CPUs."""
    with pytest.raises(InputError, match=r"2 processes per trial with a GPU each, and there are 1 GPUs here .*gpus_per_worker=0"):
        _slots(monkeypatch, 8, 1, processes=2)


def test_a_cluster_decides_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's CPUs say nothing about a cluster elsewhere."""
    assert _slots(monkeypatch, 2, 0, cluster=True) == Slots(None, 1, 0.0)
    assert _slots(monkeypatch, 2, 0, cluster=True, workers=64) == Slots(64, 1, 0.0)
    assert _slots(monkeypatch, 2, 0, cluster=True, processes=4, gpus_per_worker=1.0) == Slots(None, 4, 4.0)


@pytest.mark.parametrize(("gpus", "device"), [(0.0, "cpu"), (0.5, "auto")])
def test_no_gpu_is_used_that_was_not_asked_for(gpus: float, device: str) -> None:
    """Without a share of a GPU, trials are trained on the CPU also where there is a GPU."""
    assert Slots(1, 1, gpus).device == device


def test_hidden_gpus_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA_VISIBLE_DEVICES hides GPUs from the count."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resources.gpus_here() == 0
