"""Any process may be killed: the same command finishes the sweep, and fsck proves it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from sweeper.ledger.records import SweepState

from .driving import TINY, closed, epochs, kill, ledger_of, started, sweeper, told, violations, wait_for, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LONGER = TINY.replace("epochs: 4", "epochs: 120, patience: null").replace("grace_epochs: 1, reduction: 2", "pruner: none, shapes: trials")
"""Trials of about a second, so that a kill finds one in training."""

STACKED = (
    LONGER.replace("epochs: 120", "epochs: 400")
    .replace("shapes: trials", "shapes: auto")
    .replace("width: {choice: [8, 16]}", "width: 16")
    .replace("trials: 8", "trials: 4")
    .replace("lr: {log: [1e-4, 1e-1]}", "lr: {auto: [1e-4, 1e-1]}")
)
"""Four trials that are trained as one program and end together, with learning rates from a range test."""

ENDLESS = LONGER.replace("epochs: 120", "epochs: 4000")
"""For sweeps that are not brought to their end."""


def _whole(home: Path) -> None:
    """The sweep has ended with exactly its trials, each closed once, and fsck agrees."""
    records, target = ledger_of(home).trials("tiny"), ledger_of(home).known("tiny").target
    assert [record.number for record in records] == list(range(target))
    assert sorted(record.closed_order or 0 for record in records) == list(range(1, target + 1))
    assert violations() == []


def _finish(home: Path, *command: str | Path) -> None:
    """The same command again ends the sweep."""
    done = sweeper(*command)
    assert done.returncode == 0, done.stderr
    assert told(done)["trials"]["open"] == 0
    _whole(home)


def _best(home: Path) -> dict[int, float | None]:
    """The best value of every trial that has ended."""
    return {record.number: record.best_value for record in ledger_of(home).trials("tiny") if record.outcome}


def test_kill_9_of_the_driver(home: Path) -> None:
    """Kill -9 in the middle, and the same command goes on: exactly N trials, none twice."""
    command = ("sweep", write(home, LONGER), "--runner", "local", "--json")
    driver = started(*command)
    wait_for(lambda: closed(home) >= 2)
    kill(driver)
    before = _best(home)
    assert 2 <= len(before) < 8
    _finish(home, *command)
    assert before.items() <= _best(home).items()


def test_kill_9_of_the_driver_and_then_of_a_worker(home: Path) -> None:
    """On Ray the same; a dead worker's trials are trained again within the same command."""
    command = ("sweep", write(home, LONGER.replace("epochs: 120", "epochs: 240")), "--runner", "ray", "--json")
    driver = started(*command)
    wait_for(lambda: closed(home) >= 2)
    kill(driver)
    before = _best(home)
    assert 2 <= len(before) < 8
    _kill_a_worker(started(*command), home)
    _whole(home)
    assert before.items() <= _best(home).items()


def test_kill_9_in_the_middle_of_a_stack(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The trials that were side by side end with the very values of a sweep that nobody killed; their range test is not made again."""
    command = ("sweep", write(home, STACKED), "--runner", "local", "--json")
    driver = started(*command)
    wait_for(lambda: epochs(home) >= 16)
    kill(driver)
    assert closed(home) == 0
    [tested] = ledger_of(home).range_tests("tiny")
    _finish(home, *command)
    assert ledger_of(home).range_tests("tiny") == [tested]
    other = tmp_path_factory.mktemp("whole")
    assert sweeper(*command, SWEEPER_HOME=str(other)).returncode == 0
    assert _best(home) == _best(other)
    assert all((record.how or "").startswith("stacked") for record in ledger_of(home).trials("tiny"))


def test_kill_9_of_a_worker_with_a_stack(home: Path) -> None:
    """The trials that it trained side by side are trained again, each alone."""
    _kill_a_worker(started("sweep", write(home, STACKED), "--runner", "ray", "--json"), home)
    _whole(home)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_resumable_sweep(home: Path, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM end with their codes and a sentence, no traceback, and leave nobody in charge."""
    space = write(home, ENDLESS)
    driver = started("sweep", space, "--runner", "local")
    wait_for(lambda: epochs(home) >= 3)
    returncode, _, err = kill(driver, number)
    assert returncode == code
    assert "Traceback" not in err
    assert "run the same command again" in err
    assert ledger_of(home).known("tiny").owner is None
    assert ledger_of(home).live("tiny") == {}


def test_a_second_driver_is_refused_by_name(home: Path) -> None:
    """Two drivers on one sweep: the second names the first and changes nothing; cancel ends the first."""
    space = write(home, ENDLESS)
    driver = started("sweep", space, "--runner", "local")
    wait_for(lambda: epochs(home) >= 3)
    second = sweeper("sweep", space, "--runner", "local")
    assert second.returncode == 2
    assert str(driver.pid) in second.stderr
    assert sweeper("cancel", "tiny").returncode == 0
    driver.communicate(timeout=60)
    assert driver.returncode == 3
    assert ledger_of(home).known("tiny").state is SweepState.CANCELLED


def _kill_a_worker(driver: subprocess.Popen[str], home: Path) -> None:
    """Kill -9 while it trains; the driver's sweep ends as if nothing had been."""
    # Workers of a driver that was killed before may report until this one has taken the sweep over.
    wait_for(lambda: bool(_workers_of(driver.pid)))
    reported = epochs(home)
    wait_for(lambda: epochs(home) >= reported + 16)
    os.kill(_workers_of(driver.pid)[0], signal.SIGKILL)
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err
    assert '"open": 0' in out


def _workers_of(driver: int) -> list[int]:
    """The pids of Ray's workers that belong to this driver's cluster and train."""
    found = subprocess.run(["ps", "-eo", "pid,sid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in found.splitlines()]
    return [
        int(pid)
        for pid, session, *command in lines
        if session == str(driver) and command and command[0].startswith("ray::") and "Trainable" in command[0]
    ]
