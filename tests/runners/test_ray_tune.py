"""The Ray runner with real processes; one cluster serves all tests of the module but those about clusters."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweeper.errors import InfrastructureError, StaleWriterError
from sweeper.ports import Train
from sweeper.runners.ray_tune import Cluster, run
from sweeper.trial import Trial
from tests.runners.ray_fakes import EPOCHS, MakeDesk, MakeTrain, data, events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Cluster]:
    """Ray on this machine, with two CPUs whatever the machine has."""
    with pytest.MonkeyPatch.context() as env:
        env.delenv("RAY_ADDRESS", raising=False)
        with Cluster("tests", cpus=2) as running:
            running.ready()
            yield running


def sweep(tmp_path: Path, trials: int, make_train: Callable[..., Train], workers: int = 2) -> list[dict]:
    """Run it and return everything that happened."""
    ledger = tmp_path / "ledger"
    run(MakeDesk(ledger, trials), make_train, data(), workers=workers, cpus_per_worker=1, gpus_per_worker=0, name="sweep", home=tmp_path)
    return events(ledger)


def of(kind: str, happened: list[dict]) -> list[dict]:
    """The events of one kind."""
    return [event for event in happened if event["kind"] == kind]


def wait_for(ledger: Path, condition: Callable[[list[dict]], bool], seconds: float = 30.0) -> list[dict]:
    """Poll the ledger until the condition holds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        happened = events(ledger)
        if condition(happened):
            return happened
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s; so far {Counter(event['kind'] for event in events(ledger))}")


def in_the_middle(
    ledger: Path, act: Callable[[list[dict]], None], moment: Callable[[list[dict]], bool] = lambda _happened: True
) -> threading.Thread:
    """Act once, at a moment after some trials are done."""
    thread = threading.Thread(target=lambda: act(wait_for(ledger, lambda happened: len(of("closed", happened)) >= 4 and moment(happened))))
    thread.start()
    return thread


@dataclass(frozen=True)
class Holds:
    """Keeps the later trials until so many processes have done something, so that they cannot all end while one still starts."""

    ledger: Path
    kind: str
    who: str
    count: int

    def __call__(self, trial: Trial, epoch: int) -> None:
        """From trial 10 on, behind the second epoch."""
        if trial.number >= 10 and epoch == 3:
            wait_for(self.ledger, lambda happened: len({event[self.who] for event in of(self.kind, happened)}) >= self.count, 60)


def sessions(tmp_path: Path, count: int) -> Holds:
    """Until so many sessions have had a trial."""
    return Holds(tmp_path / "ledger", "attempt", "worker", count)


def test_two_workers_train_every_trial_exactly_once(tmp_path: Path) -> None:
    """Twenty trials: a range test first, one attempt each, all epochs once, by two processes; the desk's has neither torch nor Tune."""
    happened = sweep(tmp_path, 20, MakeTrain(0.02, sessions(tmp_path, 2)))
    assert {(event["digest"], *event["bracket"]) for event in of("tested", happened)} == {("only", 1e-7, 10.0)}
    assert sorted(event["trial"] for event in of("attempt", happened)) == list(range(20))
    assert sorted(event["trial"] for event in of("closed", happened)) == list(range(20))
    assert Counter((e["trial"], e["epoch"]) for e in of("report", happened)) == Counter(
        (n, epoch) for n in range(20) for epoch in range(1, EPOCHS + 1)
    )
    assert len({event["pid"] for event in of("report", happened)}) == 2
    (built,) = of("built", happened)
    assert not built["torch"]
    assert not built["tune"]
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


def test_workers_with_lanes_train_every_trial_exactly_once(tmp_path: Path) -> None:
    """Two workers with three lanes: most trials lie beside another, freed lanes are filled, and no epoch comes twice."""
    happened = sweep(tmp_path, 20, MakeTrain(0.05, sessions(tmp_path, 2), side=3))
    attempts = of("attempt", happened)
    assert sorted(event["trial"] for event in attempts) == list(range(20))
    assert sum(event["beside"] is not None for event in attempts) > 10
    assert Counter((e["trial"], e["epoch"]) for e in of("report", happened)) == Counter(
        (n, epoch) for n in range(20) for epoch in range(1, EPOCHS + 1)
    )
    assert len({event["pid"] for event in of("report", happened)}) == 2


def test_a_killed_worker_costs_one_attempt(tmp_path: Path) -> None:
    """After kill -9 of a worker the lost trial is trained again by the same run, and nothing else is trained twice."""

    def kill(happened: list[dict]) -> None:
        os.kill(of("report", happened)[-1]["pid"], signal.SIGKILL)

    thread = in_the_middle(tmp_path / "ledger", kill, lambda happened: happened[-1]["kind"] == "report" and happened[-1]["epoch"] == 2)
    happened = sweep(tmp_path, 20, MakeTrain(0.05, sessions(tmp_path, 3)))
    thread.join()
    assert sorted(event["trial"] for event in of("closed", happened)) == list(range(20))
    assert len(of("attempt", happened)) == 21
    lost = [event["trials"] for event in of("released", happened) if event["trials"]]
    assert len(lost) == 1
    assert len(lost[0]) == 1
    assert len({event["pid"] for event in of("report", happened)}) == 3


def test_a_killed_desk_is_built_again_from_the_ledger(tmp_path: Path) -> None:
    """After kill -9 of the desk's process the sessions' calls wait for the new one, and every trial is closed once."""

    def kill(happened: list[dict]) -> None:
        os.kill(of("built", happened)[-1]["pid"], signal.SIGKILL)

    thread = in_the_middle(tmp_path / "ledger", kill)
    happened = sweep(tmp_path, 20, MakeTrain(0.02, Holds(tmp_path / "ledger", "built", "pid", 2)))
    thread.join()
    assert len(of("built", happened)) == 2
    assert sorted(event["trial"] for event in of("closed", happened)) == list(range(20))


def test_more_workers_than_trials_or_slots_do_no_harm(tmp_path: Path) -> None:
    """Four workers on two slots for three trials: each trial once, and no session is waited for."""
    happened = sweep(tmp_path, 3, MakeTrain(0.02), workers=4)
    assert sorted(event["trial"] for event in of("attempt", happened)) == [0, 1, 2]
    assert sorted(event["trial"] for event in of("closed", happened)) == [0, 1, 2]


@dataclass(frozen=True)
class BreaksTrial:
    """Raises in one trial."""

    number: int

    def __call__(self, trial: Trial, epoch: int) -> None:
        """At its third epoch."""
        if (trial.number, epoch) == (self.number, 3):
            raise ValueError("no such layer")


def test_a_trial_that_raises_is_failed_and_the_others_go_on(tmp_path: Path) -> None:
    """User code's error stays in its trial; it is not tried again."""
    happened = sweep(tmp_path, 4, MakeTrain(0.02, BreaksTrial(1)))
    closed = {event["trial"]: event.get("reason", "") for event in of("closed", happened)}
    assert closed[1].startswith("ValueError: no such layer\n")
    assert [closed[n] for n in (0, 2, 3)] == ["", "", ""]
    assert len(of("attempt", happened)) == 4


@dataclass(frozen=True)
class FullDisk:
    """Fails in a way that is nobody's trial's fault."""

    def __call__(self, _trial: Trial, epoch: int) -> None:
        """At the second epoch of any trial."""
        if epoch == 2:
            raise InfrastructureError("the disk is full")


def test_a_failing_store_ends_the_run_with_its_sentence(tmp_path: Path) -> None:
    """The sweep stays open and the trials are given back."""
    with pytest.raises(InfrastructureError, match="the disk is full"):
        sweep(tmp_path, 4, MakeTrain(0.02, FullDisk()))
    happened = events(tmp_path / "ledger")
    assert of("closed", happened) == []
    assert sum(len(event["trials"]) for event in of("released", happened)) == len(of("attempt", happened))


def broken_make_train(_data: object) -> Train:
    """Cannot be built on any worker."""
    raise ImportError("No module named 'my_nets'")


def test_workers_that_cannot_start_end_the_run_with_the_cause(tmp_path: Path) -> None:
    """No endless restarts: after a few sessions died with nothing recorded the cause is told in a line."""
    with pytest.raises(InfrastructureError, match="my_nets"):
        sweep(tmp_path, 4, broken_make_train)


@dataclass(frozen=True)
class TakenOver(MakeDesk):
    """Somebody else owns the sweep by now."""

    def __call__(self) -> object:  # type: ignore[override]
        """Refuse."""
        raise StaleWriterError("sweep is driven by another process")


def test_a_sweep_taken_over_is_told_as_such(tmp_path: Path) -> None:
    """The ledger's refusal reaches the caller as itself, not as a Ray error."""
    with pytest.raises(StaleWriterError, match="another process"):
        run(TakenOver(tmp_path / "l", 1), MakeTrain(0.02), data(), workers=1, cpus_per_worker=1, gpus_per_worker=0, name="s", home=tmp_path)


def test_an_impossible_worker_is_refused(tmp_path: Path) -> None:
    """A worker larger than every node is an error at once, not a wait without end."""
    with pytest.raises(InfrastructureError, match="no node has room for a worker of 64 CPUs"):
        run(MakeDesk(tmp_path / "l", 1), MakeTrain(0.02), data(), workers=1, cpus_per_worker=64, gpus_per_worker=0, name="s", home=tmp_path)


def test_an_interrupt_is_no_lost_attempt(tmp_path: Path) -> None:
    """Ctrl-C in the middle reaches the caller; what was in hand is not released, which would count against its trials."""
    thread = in_the_middle(tmp_path / "ledger", lambda _happened: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, 40, MakeTrain(0.05))
    thread.join()
    happened = events(tmp_path / "ledger")
    closed, released = of("closed", happened), of("released", happened)
    assert 0 < len(closed) < 40
    assert len(closed) < len(of("attempt", happened))
    assert not any(event["trials"] for event in released)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]
