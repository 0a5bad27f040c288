from __future__ import annotations

import math
import os
from dataclasses import replace

import pytest

from sweeper.errors import InfrastructureError, InputError, SweepHeldError
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Counts, Entry, Mark, NewSweep, SweepState, TrackedSweep
from sweeper.ledger.store import Ledger
from sweeper.trial import Metric, Outcome, Stop
from tests.ledger.fakes import DONE, claimed, finish, new_sweep, numbered, report, trial

ELSEWHERE = replace(Owner.here(), host="elsewhere", pid=7, machine="another boot")


def test_a_sweep_comes_back_as_it_was_created(ledger: Ledger) -> None:
    """Space, fingerprint, metric, target and facts are kept; it is open and nobody's."""
    new = NewSweep("mlp-2", "name: mlp\n# ü\n", "abc", Metric.VAL_AUROC, 64, {"baseline": {"val_loss": math.nan}})
    ledger.create_sweep(new)
    back = ledger.known("mlp-2")
    assert (back.name, back.space, back.fingerprint, back.metric, back.target) == ("mlp-2", new.space, "abc", Metric.VAL_AUROC, 64)
    assert math.isnan(back.facts["baseline"]["val_loss"])
    assert (back.state, back.owner, back.ended) == (SweepState.OPEN, None, None)
    assert [sweep.name for sweep in ledger.sweeps()] == ["mlp-2"]


def test_a_name_is_given_once(ledger: Ledger) -> None:
    """A second sweep of the same name is refused and changes nothing."""
    ledger.create_sweep(new_sweep())
    with pytest.raises(InputError, match="named 'mlp' already"):
        ledger.create_sweep(new_sweep(target=9))
    assert ledger.known("mlp").target == 4


def test_an_unknown_sweep_is_told_with_the_nearest_name(ledger: Ledger) -> None:
    """A typo is answered with what was probably meant; readings of nothing are empty."""
    ledger.create_sweep(new_sweep("digits-mlp"))
    for call in (lambda: ledger.claim("digit-mlp", Owner.here()), lambda: ledger.remove("digit-mlp"), lambda: ledger.counts("digit-mlp")):
        with pytest.raises(InputError, match="did you mean 'digits-mlp'"):
            call()
    with pytest.raises(InputError, match="sweeper list"):
        ledger.request_cancel("zzz")
    assert (ledger.sweep("zzz"), ledger.best("zzz"), ledger.trials("zzz"), ledger.past("zzz"), ledger.trial("zzz", 0)) == (
        None,
        None,
        [],
        [],
        None,
    )


def test_a_held_sweep_is_refused_by_name_of_its_holder(ledger: Ledger) -> None:
    """Whoever comes second is told the host, the process and since when."""
    claimed(ledger)
    with pytest.raises(SweepHeldError) as error:
        ledger.claim("mlp", Owner.here())
    for part in ("'mlp'", f"process {os.getpid()}", Owner.here().host, "since 20"):
        assert part in str(error.value)
    with pytest.raises(SweepHeldError):
        ledger.remove("mlp")


def test_a_dead_owner_is_replaced(ledger: Ledger) -> None:
    """A pid that is gone, or that belongs to a younger process now, holds nothing."""
    ledger.create_sweep(new_sweep())
    here = Owner.here()
    gone = replace(here, pid=2**22 + 1)
    reused = replace(here, start="1")
    epochs = [ledger.claim("mlp", owner).epoch for owner in (gone, reused, here)]
    assert epochs == sorted(set(epochs))


def test_an_owner_elsewhere_lives_by_its_signs(url: str) -> None:
    """On another machine a pid cannot be looked up: a minute of silence is death, a beat is life."""
    now = 1000.0
    ledger = Ledger.open(url, clock=lambda: now)
    ledger.create_sweep(new_sweep())
    writer = ledger.claim("mlp", ELSEWHERE)
    now += 50
    assert writer.beat() is SweepState.OPEN
    now += 50
    with pytest.raises(SweepHeldError, match=r"process 7 on elsewhere .* try again in 10 s"):
        ledger.claim("mlp", Owner.here())
    now += 11
    assert ledger.claim("mlp", Owner.here()).epoch > writer.epoch
    ledger.close()


def test_counts_say_where_the_trials_are(ledger: Ledger) -> None:
    """Every trial is counted once, running ones also among the open."""
    writer = claimed(ledger, target=9)
    tokens = numbered(writer, [trial(number) for number in range(7)], "w0")
    for number, outcome in enumerate((Outcome.COMPLETE, Outcome.PRUNED, Outcome.DIVERGED, Outcome.COMPLETE)):
        finish(writer, number, tokens[number], stop=Stop(outcome, "because"))
    writer.fail(tokens[4], "boom")
    writer.release("w0")
    writer.start([5], "w1")
    counts = ledger.counts("mlp")
    assert counts == Counts(open=2, running=1, complete=2, pruned=1, diverged=1, failed=1, cancelled=0, numbered=7, target=9)
    assert counts.closed == 5


@pytest.mark.parametrize(("metric", "winner"), [(Metric.VAL_LOSS, 1), (Metric.VAL_ACCURACY, 0)])
def test_the_best_trial_is_complete_and_first_among_equals(ledger: Ledger, metric: Metric, winner: int) -> None:
    """The direction follows from the metric; a pruned trial never wins; of equal values the lowest number does."""
    ledger.create_sweep(new_sweep(target=5, metric=metric))
    writer = ledger.claim("mlp", Owner.here())
    assert ledger.best("mlp") is None
    tokens = numbered(writer, [trial(number) for number in range(5)], "w0")
    for number, value in {4: 0.9, 2: 0.2, 1: 0.2, 0: 0.9}.items():
        writer.record([Entry(tokens[number], report(number, 1, value), DONE, (value, 1))])
    unbeatable = 0.0 if metric is Metric.VAL_LOSS else 1.0
    writer.record([Entry(tokens[3], report(3, 1, unbeatable), Stop(Outcome.PRUNED, "pruned"), (unbeatable, 1))])
    best = ledger.best("mlp")
    assert best is not None
    assert best.number == winner


def test_the_past_is_told_in_the_order_of_closing(ledger: Ledger) -> None:
    """Closed trials first, as they were closed, then open ones by number, with the live attempt's reports only."""
    writer = claimed(ledger)
    tokens = numbered(writer, [trial(number) for number in range(4)], "w0")
    writer.record([Entry(tokens[number], report(number, 1)) for number in (0, 1, 2, 3)])
    finish(writer, 3, tokens[3])
    finish(writer, 1, tokens[1])
    writer.release("w0")
    token = writer.start([2], "w1")[0]
    past = ledger.past("mlp")
    assert [(item.trial.number, item.outcome, len(item.reports)) for item in past] == [
        (3, "complete", 2),
        (1, "complete", 2),
        (0, None, 0),
        (2, None, 0),
    ]
    writer.record([Entry(token, report(2, 1, 0.25))])
    assert [item.metrics["val_loss"] for item in ledger.past("mlp")[3].reports] == [0.25]


def test_the_tracker_sees_what_is_ahead_of_its_cursor(ledger: Ledger) -> None:
    """A trial is pending from its first report on, until its last report and its outcome are mirrored."""
    writer = claimed(ledger)
    tokens = numbered(writer, [trial(0), trial(1)], "w0")
    assert ledger.pending("mlp") == []
    writer.record([Entry(tokens[0], report(0, 1)), Entry(tokens[0], report(0, 2))])
    [pending] = ledger.pending("mlp")
    assert (pending.record.number, pending.run_id, pending.from_epoch) == (0, None, 1)
    ledger.mark("mlp", 0, epoch=2)
    ledger.mark("mlp", 0, run_id="r0")
    assert ledger.pending("mlp") == []
    finish(writer, 0, tokens[0], (0.5, 0.4, 0.3))
    writer.fail(tokens[1], "boom")
    assert [(item.record.number, item.run_id, item.from_epoch) for item in ledger.pending("mlp")] == [(0, "r0", 3), (1, None, 1)]
    assert [item.epoch for item in ledger.reports("mlp", 0, after=2)] == [3]
    assert (ledger.count_pending("mlp"), len(ledger.pending("mlp", limit=1))) == (2, 1)
    ledger.mark_many("mlp", [Mark(0, epoch=3, outcome=Outcome.COMPLETE), Mark(1, "r1", 0, Outcome.FAILED)])
    ledger.mark_many("mlp", [])
    assert (ledger.pending("mlp"), ledger.count_pending("mlp")) == ([], 0)


def test_the_mirror_can_be_built_anew(ledger: Ledger) -> None:
    """After a reset everything is pending again, without any run."""
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    finish(writer, 0, token)
    ledger.mark("mlp", 0, run_id="r0", epoch=2, outcome=Outcome.COMPLETE)
    ledger.mark_sweep("mlp", run_id="parent")
    ledger.mark_sweep("mlp", state=SweepState.OPEN)
    assert ledger.tracked_sweep("mlp") == TrackedSweep("parent", SweepState.OPEN)
    ledger.reset_tracking("mlp")
    assert (ledger.tracked_sweep("mlp"), ledger.tracked_sweep("none")) == (TrackedSweep(None, None),) * 2
    [pending] = ledger.pending("mlp")
    assert (pending.run_id, pending.from_epoch) == (None, 1)


def test_removing_a_sweep_leaves_nothing(ledger: Ledger) -> None:
    """No row of any table remains, and the name is free."""
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    finish(writer, 0, token)
    writer.release_owner()
    ledger.remove("mlp")
    assert (ledger.sweeps(), ledger.trials("mlp"), ledger.reports("mlp"), ledger.pending("mlp")) == ([], [], [], [])
    ledger.create_sweep(new_sweep())


def test_a_row_damaged_by_hand_is_named(ledger: Ledger) -> None:
    """Whoever edits the ledger is told which row cannot be read, not shown a traceback."""
    writer = claimed(ledger)
    numbered(writer, [trial(0)], "w0")
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE trial SET config = '{'")
    with pytest.raises(InfrastructureError, match="trial 0 of sweep 'mlp' is damaged"):
        ledger.trials("mlp")
