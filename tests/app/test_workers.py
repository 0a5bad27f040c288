"""Where trials are trained, and when that changes on the way."""

from __future__ import annotations

import itertools
import math
import os
import signal
import sqlite3
import threading
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
from tests.app.driving import TINY, ledger_of, wait_for, write
from tests.runners.processes import descendants

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
    with Workers(runner, "s", action, room):
        assert entered == (["s"] if ray else [])


class CountedHelpers:
    """Counts those that are asked for."""

    def __init__(self) -> None:
        self.number = 0

    def __len__(self) -> int:
        return self.number

    def start(self, number: int) -> None:
        """So many more."""
        self.number += number


@pytest.mark.parametrize(
    ("runner", "room", "closed", "called", "helping"),
    [
        ("auto", TWO, 2, True, 0),  # 196 s are left: long
        ("auto", TWO, 0, True, 0),
        ("auto", TWO, 15, False, 1),  # 23 s are left, of which a second worker saves a half
        ("auto", TWO, 20, False, 0),  # 16 s are left
        ("auto", TWO, 50, False, 0),  # 4 s are left
        ("auto", Slots(16, 1, 0.0), 6, True, 7),  # 63 s are left, then, at the same pace, 55 s, of which eight more workers save a half
        ("auto", Slots(1, 1, 0.0), 2, False, 0),
        ("local", TWO, 2, False, 0),
    ],
)
def test_more_workers_are_called_when_much_is_left(
    entered: list[str], monkeypatch: pytest.MonkeyPatch, runner: str, room: Slots, closed: int, *, called: bool, helping: int
) -> None:
    """A hundred trials; so many close in each four seconds."""
    clock = itertools.count(0.0, 4.0)
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(workers, "import_module", lambda _: None)
    counts = itertools.count(0, closed)
    ledger: Any = SimpleNamespace(counts=lambda _: SimpleNamespace(closed=next(counts), target=100))
    helpers: Any = CountedHelpers()
    with Workers(runner, "s", Action.CREATE, room) as made:
        asked = made._until_ray(ledger, "s", helpers)
        assert [next(asked) for _ in range(4)] == [False, False, False, False]
        assert entered == (["s"] if called else [])
        assert len(helpers) == helping
        if called:
            made._cluster._begun.set()  # type: ignore[union-attr]
            assert any(asked)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ray_takes_over_on_the_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process had in hand is trained on by Ray's workers; no attempt counts as lost, and MLflow has every trial once."""
    monkeypatch.setattr(workers, "KNOWN_S", 0.0)
    monkeypatch.setattr(workers, "LONG_S", 0.0)
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_helper_joins_and_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It trains trials of the sweep; what it had in hand when it died is trained here, and every trial is in MLflow once."""
    monkeypatch.setattr(workers, "KNOWN_S", 0.0)
    monkeypatch.setattr(workers, "HELP_S", 0.0)
    monkeypatch.setattr(workers, "LONG_S", math.inf)
    monkeypatch.setattr(here, "SLICE_S", 0.0)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    longer = TINY.replace("epochs: 4", "epochs: 150, patience: null").replace(
        "grace_epochs: 1, reduction: 2", "pruner: none, shapes: trials"
    )
    space, killed = write(home, f"{longer}resources: {{workers: 2}}\n"), threading.Event()

    def kill() -> None:
        wait_for(lambda: killed.is_set() or _attempts(home, "local-1") > 0)
        for pid in descendants(os.getpid()):
            if b"sweeper.runners.local.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        done = sweep(Request(str(space), ["training.engine=plain", "search.shapes=trials"], quiet=True), print, lambda _: None)
    finally:
        killed.set()
        killer.join()
    assert (done.exit_code, done.counts.closed) == (0, 8)
    assert _attempts(home, "local-1") > 0
    assert _attempts(home, "local-1", "lost") == 1
    assert mirror_violations(ledger_of(home), f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts", "tiny") == []


def _attempts(home: Path, worker: str, result: str = "%") -> int:
    """How many this worker has made, with this result."""
    file = home / "runs" / "ledger.db"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as rows:
        try:
            [(count,)] = rows.execute("select count(*) from attempt where worker = ? and result like ?", (worker, result))
        except sqlite3.OperationalError:  # the tables are not there yet
            return 0
    return int(count)
