"""Helper processes: what they train, what becomes of it when they die, and that they end with their driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.runners.calls import SharedDesk
from sweeper.runners.local import Helpers, run
from sweeper.trial import Outcome, RangeTest
from tests.runners.fakes import FakeDesk, FakeTrain, trial
from tests.runners.processes import descendants, survivors

pytestmark = pytest.mark.slow

NO_DATA: Any = None
ROOT = Path(__file__).resolve().parents[2]


def quick(data: object) -> FakeTrain:
    """What a helper makes of its job."""
    return FakeTrain()


def endless(data: object) -> FakeTrain:
    """Trials that take for ever."""
    return FakeTrain(on_step=lambda _: time.sleep(3600))


def wait_for(condition: Callable[[], object]) -> None:
    """At most a minute."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_helper_trains_and_ends() -> None:
    """It takes leases as any worker, makes the tests that are wanted, tells the desk of it all, and is gone when nothing is open."""
    desk = FakeDesk([trial(number) for number in range(3)], wanted=[RangeTest("a", {}, 3, "a")])
    with Helpers(SharedDesk(desk), quick, NO_DATA) as helpers:
        assert not helpers.at_work()
        helpers.start(1)
        wait_for(lambda: not helpers.at_work())
    assert desk.findings["a"].bracket == (0.01, 1.0)
    assert desk.outcomes == dict.fromkeys(range(3), Outcome.COMPLETE)
    assert desk.released == ["local-1"]  # when it had gone, with nothing in hand
    assert not descendants(os.getpid())


def test_the_trials_of_a_helper_that_dies_are_trained_here() -> None:
    """Killed amid its trial: that one is open again, and this process, which waited for it, trains it."""
    desk = FakeDesk([trial(0)])
    with Helpers(SharedDesk(desk), endless, NO_DATA) as helpers:
        helpers.start(1)
        wait_for(lambda: desk.held.get("local-1"))
        [pid] = descendants(os.getpid())
        told = iter([False, False, False])

        def until() -> bool:
            if next(told, None) is None:
                os.kill(pid, signal.SIGKILL)
            return False

        assert run(SharedDesk(desk), FakeTrain(), iter(until, True), helpers.at_work)
    assert desk.released == ["local-1"]
    assert desk.outcomes == {0: Outcome.COMPLETE}


def test_what_a_helper_holds_stays_open_when_it_is_ended() -> None:
    """As at an interrupt: nothing is suspected of anything."""
    desk = FakeDesk([trial(0)])
    with Helpers(SharedDesk(desk), endless, NO_DATA) as helpers:
        helpers.start(1)
        wait_for(lambda: desk.held.get("local-1"))
    assert (desk.released, desk.outcomes) == ([], {})
    assert not descendants(os.getpid())


DRIVER = """
import time
from sweeper.runners.calls import SharedDesk
from sweeper.runners.local import Helpers
from tests.runners.fakes import FakeDesk, trial
from tests.runners.test_helpers import NO_DATA, endless, wait_for

desk = FakeDesk([trial(0)])
with Helpers(SharedDesk(desk), endless, NO_DATA) as helpers:
    helpers.start(1)
    wait_for(lambda: desk.held)
    print(flush=True)
    time.sleep(3600)
"""


def test_helpers_end_with_their_driver() -> None:
    """However it ends, and whatever they are doing."""
    with subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True, cwd=ROOT) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "\n"
        helpers = descendants(driver.pid)
        driver.kill()
    assert len(helpers) == 1
    assert not survivors(helpers, 30)
