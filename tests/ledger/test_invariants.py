from __future__ import annotations

import pytest

from sweeper.ledger.invariants import check
from sweeper.ledger.records import SweepState
from sweeper.ledger.store import Ledger
from sweeper.trial import Outcome, Stop
from tests.ledger.fakes import claimed, finish, numbered, trial


def finished(ledger: Ledger) -> None:
    """A complete sweep of three trials, one of them trained twice because its worker was lost."""
    writer = claimed(ledger, target=3)
    tokens = numbered(writer, [trial(number) for number in range(3)], "w0")
    finish(writer, 1, tokens[1], (0.5, 0.2))
    finish(writer, 2, tokens[2], (0.9,), Stop(Outcome.PRUNED, "worse than the rung"))
    writer.release("w0")
    finish(writer, 0, writer.start([0], "w1")[0], (0.4, 0.3))
    writer.set_facts(winner=1)
    writer.finish(SweepState.COMPLETE)


def test_a_sweep_that_went_well_holds_every_invariant(ledger: Ledger) -> None:
    """Nothing is found where nothing is wrong."""
    finished(ledger)
    assert check(ledger, ledger.known("mlp")) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE sweep SET target = 5", "I1  mlp  is complete, but 2 of 5 trials are missing, first 3"),
        ("UPDATE sweep SET target = 2", "I1  mlp/2  lies beyond the sweep's 2 trials"),
        ("UPDATE trial SET outcome = NULL WHERE number = 2", "I1  mlp/2  is open, but the sweep is complete"),
        ("UPDATE trial SET reason = '' WHERE number = 2", "I1  mlp/2  is pruned without a reason or a time"),
        ("UPDATE trial SET closed_order = 9 WHERE number = 2", "I1  mlp  does not know the order in which its trials were closed"),
        ("UPDATE trial SET outcome = NULL WHERE number = 1", "I4  mlp/1  is open, but an attempt of it has ended"),
        ("UPDATE attempt SET result = 'running' WHERE number = 1", "I4  mlp/1  is complete, but has a live attempt"),
        ("UPDATE attempt SET result = 'ended' WHERE number = 0", "I4  mlp/0  was trained to its end 2 times"),
        ("UPDATE attempt SET n = 9 WHERE number = 0 AND n = 1", "I4  mlp/0  was started again after it had ended"),
        ("UPDATE attempt SET result = 'lost' WHERE number = 1", "I4  mlp/1  is complete, but no attempt of it has ended"),
        ("DELETE FROM report WHERE number = 1 AND epoch = 1", "I6  mlp/1  has 1 reports of the epochs 2 to 2"),
        ("DELETE FROM report WHERE number = 0 AND epoch = 2", "I6  mlp/0  was closed after epoch 2, but its last report is of epoch 1"),
        (
            "UPDATE trial SET best_value = 0.1 WHERE number = 0",
            "I7  mlp/0  records 0.1 at epoch 2 as its best, its reports say 0.3 at epoch 2",
        ),
        ("UPDATE trial SET best_value = NULL WHERE number = 0", "I7  mlp/0  records nothing as its best, its reports say 0.3 at epoch 2"),
        ("UPDATE sweep SET facts = '{\"winner\":0}'", "I7  mlp  records trial 0 as its winner, but trial 1 is better"),
        ("UPDATE trial SET outcome = 'pruned'", "I7  mlp  records trial 1 as its winner, but no trial is complete"),
    ],
)
def test_damage_is_found_and_told(ledger: Ledger, damage: str, found: str) -> None:
    """Each thing that should not be is found by its invariant, with the trial's name and what is wrong."""
    finished(ledger)
    with ledger.database.write() as connection:
        connection.exec_driver_sql(damage)
    assert found in [str(violation) for violation in check(ledger, ledger.known("mlp"))]


def test_two_live_attempts_are_refused_by_the_database_and_found_by_the_check(ledger: Ledger) -> None:
    """Even a writer gone wrong cannot start a trial twice; where the index is gone, the check sees it."""
    numbered(claimed(ledger), [trial(0)], "w0")
    twice = "INSERT INTO attempt (sweep, number, n, worker, started, result) VALUES ('mlp', 0, 2, 'w1', 0, 'running')"
    with pytest.raises(Exception, match="UNIQUE constraint failed"), ledger.database.write() as connection:
        connection.exec_driver_sql(twice)
    with ledger.database.write() as connection:
        connection.exec_driver_sql("DROP INDEX attempt_running")
        connection.exec_driver_sql(twice)
    assert [str(violation) for violation in check(ledger, ledger.known("mlp"))] == ["I4  mlp/0  has 2 live attempts"]
