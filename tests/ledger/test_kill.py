from __future__ import annotations

import os
import random
import signal

import pytest

from sweeper.errors import StaleWriterError, SweepHeldError
from sweeper.ledger.invariants import check
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import SweepState
from sweeper.ledger.store import Ledger
from tests.ledger.fakes import finish, line, new_sweep, numbered, process, trial

DRIVE = """
import sys
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry
from sweeper.ledger.store import Ledger
from tests.ledger.fakes import DONE, numbered, report, trial
ledger = Ledger.open(sys.argv[1])
writer = ledger.claim("mlp", Owner.here())
print(writer.epoch, flush=True)
open_numbers = [record.number for record in ledger.trials("mlp") if record.outcome is None]
next_number = ledger.counts("mlp").numbered
while open_numbers or next_number < ledger.known("mlp").target:
    if open_numbers:
        number = open_numbers.pop()
        token = writer.start([number], "w0")[0]
    else:
        number, next_number = next_number, next_number + 1
        [token] = numbered(writer, [trial(number)], "w0")
    for epoch in (1, 2, 3):
        writer.record([Entry(token, report(number, epoch), DONE if epoch == 3 else None, (0.5, 1))])
    print("closed", number, flush=True)
"""


def test_a_live_driver_keeps_its_sweep_and_a_killed_one_loses_it(ledger: Ledger, url: str) -> None:
    """While the first lives the second is refused; after its ``kill -9`` the second gets the sweep, and the first's writer is stale."""
    ledger.create_sweep(new_sweep())
    hold = "import sys; from sweeper.ledger.store import Ledger; from sweeper.ledger.owner import Owner\n"
    hold += "print(Ledger.open(sys.argv[1]).claim('mlp', Owner.here()).epoch, flush=True); sys.stdin.read()\n"
    with process(hold, url) as child:
        epoch = int(line(child))
        with pytest.raises(SweepHeldError, match=f"process {child.pid} "):
            ledger.claim("mlp", Owner.here())
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        writer = ledger.claim("mlp", Owner.here())
    with pytest.raises(StaleWriterError):
        ledger.writer("mlp", epoch).beat()
    assert writer.beat() is SweepState.OPEN


def test_killed_five_times_in_a_row_the_sweep_ends_with_every_trial_once(ledger: Ledger, url: str) -> None:
    """``kill -9`` in the middle of writing, again and again: nothing that was told is lost, and all invariants hold each time."""
    target = 200
    ledger.create_sweep(new_sweep(target=target))
    rng = random.Random(0)  # noqa: S311 - when to kill, not a secret
    told: set[int] = set()
    for _ in range(5):
        with process(DRIVE, url) as child:
            line(child)
            for _ in range(rng.randrange(1, 25)):
                told.add(int(line(child).split()[1]))
            os.kill(child.pid, signal.SIGKILL)
            assert child.stdout is not None
            told |= {int(text.split()[1]) for text in child.stdout if text.endswith("\n") and text.startswith("closed")}
            child.wait()
        assert check(ledger, ledger.known("mlp")) == []
        assert told <= {record.number for record in ledger.trials("mlp") if record.outcome is not None}
    writer = ledger.claim("mlp", Owner.here())
    assert ledger.live("mlp") == {}
    for record in ledger.trials("mlp"):
        if record.outcome is None:
            finish(writer, record.number, writer.start([record.number], "w1")[0])
    for number in range(ledger.counts("mlp").numbered, target):
        finish(writer, number, numbered(writer, [trial(number)], "w1")[0])
    writer.finish(SweepState.COMPLETE)
    assert check(ledger, ledger.known("mlp")) == []
    assert ledger.counts("mlp").complete == target
