"""Where trials are trained, and when that changes on the way."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeper.app import workers
from sweeper.app.naming import Action
from sweeper.app.resources import Slots
from sweeper.app.sweep import Request, sweep
from sweeper.app.workers import Workers
from sweeper.runners.local import here
from sweeper.runners.ray_tune import Cluster
from sweeper.tracking.check import mirror_violations
from tests.app.driving import ledger_of, write

TWO = Slots(2, 1, 0.0)


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The clusters that were started: none of them is real."""
    clusters: list[str] = []

    def enter(cluster: Any) -> Any:
        clusters.append(cluster._namespace)
        return cluster

    monkeypatch.setattr(Cluster, "__enter__", enter)
    monkeypatch.setattr(Cluster, "__exit__", lambda *_: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return clusters


@pytest.mark.parametrize(
    ("runner", "action", "room", "address", "ray"),
    [
        ("auto", Action.CREATE, TWO, None, False),
        ("auto", Action.RESUME, TWO, None, True),
        ("auto", Action.CREATE, Slots(1, 1, 1.0), None, True),
        ("auto", Action.CREATE, TWO, "10.0.0.1:6379", True),
        ("ray", Action.CREATE, TWO, None, True),
        ("local", Action.RESUME, TWO, None, False),
    ],
)
def test_ray_starts_at_once_only_where_it_is_needed(
    entered: list[str], monkeypatch: pytest.MonkeyPatch, runner: str, action: Action, room: Slots, address: str | None, *, ray: bool
) -> None:
    """A new sweep on this machine's processors begins without it."""
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with Workers(runner, "s", action, room, 8):
        assert entered == (["s"] if ray else [])


@pytest.mark.parametrize(
    ("runner", "room", "closed", "called"),
    [
        ("auto", TWO, 2, True),
        ("auto", TWO, 0, True),
        ("auto", TWO, 90, False),
        ("auto", Slots(1, 1, 0.0), 2, False),
        ("local", TWO, 2, False),
    ],
)
def test_ray_is_called_when_much_is_left(
    entered: list[str], monkeypatch: pytest.MonkeyPatch, runner: str, room: Slots, closed: int, *, called: bool
) -> None:
    """After four seconds, a hundred trials at the pace of two closed ones would take three minutes, of ninety half a second."""
    clock = itertools.count(0.0, 4.0)
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(workers, "import_module", lambda _: None)
    counts = iter([0, *[closed] * 10])
    ledger: Any = SimpleNamespace(counts=lambda _: SimpleNamespace(closed=next(counts), target=100))
    with Workers(runner, "s", Action.CREATE, room, 8) as made:
        asked = made._until_ray(ledger, "s")
        assert [next(asked), next(asked)] == [False, False]
        assert entered == (["s"] if called else [])
        if called:
            made._cluster._begun.set()  # type: ignore[union-attr]
            assert any(asked)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ray_takes_over_on_the_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process had in hand is trained on by Ray's workers; no attempt counts as lost, and MLflow has every trial once."""
    monkeypatch.setattr(workers, "KNOWN_S", 0.0)
    monkeypatch.setattr(workers, "WORTH_S", 0.0)
    monkeypatch.setattr(here, "SLICE_S", 0.0)
    monkeypatch.setattr(Cluster, "begun", True)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    import_module("sweeper.runners.ray_tune.driver")  # as it is where Ray took its time; else these few trials would be over first
    done = sweep(Request(str(write(home)), ["training.engine=plain"], quiet=True), print, lambda _: None)
    assert (done.exit_code, done.counts.closed) == (0, 8)
    ledger = ledger_of(home)
    assert ledger.lost("tiny") == {}
    with closing(sqlite3.connect(home / "runs" / "ledger.db")) as rows:
        by = {worker.partition("/")[0] for (worker,) in rows.execute("select worker from attempt")}
    assert by == {"local", "tiny"}
    assert mirror_violations(ledger, f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts", "tiny") == []
