"""What goes wrong in another process of a trial is told by this one, and nothing is left of either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sweeper.core.batches import Resident
from sweeper.core.loop import train
from sweeper.core.parallel import crew
from sweeper.core.parallel.stack import LedStack
from sweeper.data.dataset import Dataset
from tests.core.driving import GO, cut


def stack(data: Resident, make_trial: Any) -> tuple[LedStack, crew.Crew]:
    """A stack of two processes, and those."""
    return LedStack([make_trial(model={"width": 8}, resources={"processes": 2})], data), crew.crew_of(data, 2)


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_that_was_killed(digits: Dataset, make_trial: Any) -> None:
    """The trial fails with a sentence, and a training that has ended leaves no process."""
    trial = make_trial(model={"width": 8}, training={"batch_size": 32}, resources={"processes": 2})
    training = train([trial], cut(digits, 64, 32), device="cpu")
    next(training)
    (pid,) = crew._CREWS[0].pids
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(crew.MemberError, match="process 2 of 2 of this trial was killed by SIGKILL"):
        training.send([GO])
    assert not alive(pid)
    assert crew._CREWS == []


def test_an_error_in_a_process_while_the_others_wait_for_it(data: Resident, make_trial: Any) -> None:
    """It is the cause that is told, not the exchange that broke; the process is gone."""
    _, led = stack(data, make_trial)
    (pid,) = led.pids
    led.member = SimpleNamespace(unheard_of=lambda: led.team.add(torch.ones(3)))  # type: ignore[assignment]
    with pytest.raises(crew.MemberError, match=r"process 2 of 2 of this trial: AttributeError: .*unheard_of.* in main\)"):
        led.call("unheard_of")
    assert not alive(pid)


def test_an_error_of_this_process_is_its_own(data: Resident, make_trial: Any) -> None:
    """As it was raised, and the other process, which waits, is ended."""

    def fail() -> None:
        raise ValueError("mine")

    made, led = stack(data, make_trial)
    (pid,) = led.pids
    led.member = SimpleNamespace(run_epoch=fail)  # type: ignore[assignment]
    with pytest.raises(ValueError, match="mine"):
        made.run_epoch()
    assert not alive(pid)


def test_no_process_outlives_this_one() -> None:
    """SIGKILL leaves no time to say goodbye."""
    code = "from sweeper.core.parallel.crew import Hand; print(Hand(1, 2).pid, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        pid = int(leader.stdout.readline())
        assert alive(pid)
        leader.kill()
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)
