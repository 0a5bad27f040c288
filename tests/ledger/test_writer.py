from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sweeper.errors import StaleWriterError
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry, Live, SweepState
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.trial import Continue, Outcome, RangeFinding, Report, Stop
from tests.ledger.fakes import DONE, claimed, finish, new_sweep, numbered, report, trial


def take_over(ledger: Ledger, writer: Writer) -> Writer:
    """The sweep claimed by somebody else, as after the death of its owner."""
    writer.release_owner()
    return ledger.claim(writer.sweep, Owner.here())


def test_a_trial_comes_back_as_it_was_numbered(ledger: Ledger) -> None:
    """Numbers, seeds, values, config and place are what they were, bit for bit, and the trial is open."""
    numbered(claimed(ledger), [trial(0), trial(1)], "w0")
    assert [record.trial for record in ledger.trials("mlp")] == [trial(0), trial(1)]
    assert ledger.trial("mlp", 1) == ledger.trials("mlp")[1]
    assert {record.outcome for record in ledger.trials("mlp")} == {None}


def test_reports_come_back_bit_for_bit(ledger: Ledger) -> None:
    """Metrics keep every bit, nan and the infinities too."""
    [token] = numbered(writer := claimed(ledger), [trial(0)], "w0")
    metrics = {"train_loss": math.nan, "val_loss": math.inf, "lr": -math.inf, "grad_norm": 0.1 + 0.2, "seconds": 5e-324}
    writer.record([Entry(token, Report(0, 1, metrics, 1234.5678901, "nothing more"))])
    [back] = ledger.reports("mlp", 0)
    assert math.isnan(back.metrics["train_loss"])
    assert {**back.metrics, "train_loss": 0} == {**metrics, "train_loss": 0}
    assert (back.epoch, back.at, back.ended) == (1, 1234.5678901, "nothing more")


def test_a_stop_closes_the_trial_with_its_last_report(ledger: Ledger) -> None:
    """Outcome, sentence, best, epochs and order are written with the report that caused them."""
    tokens = numbered(writer := claimed(ledger), [trial(0), trial(1)], "w0")
    finish(writer, 1, tokens[1], (0.5, 0.3, 0.4))
    finish(writer, 0, tokens[0], (0.9,), Stop(Outcome.PRUNED, "worse than the rung"))
    zero, one = ledger.trials("mlp")
    assert (one.outcome, one.reason, one.best_value, one.best_epoch, one.epochs) == (Outcome.COMPLETE, DONE.sentence, 0.3, 2, 3)
    assert (zero.outcome, zero.reason, zero.closed_order, one.closed_order) == (Outcome.PRUNED, "worse than the rung", 2, 1)
    assert one.seconds is not None
    assert one.seconds >= 0


def test_what_follows_a_stop_in_the_same_call_is_dropped(ledger: Ledger) -> None:
    """A worker may have gone on for some epochs before it heard that its trial was over."""
    [token] = numbered(writer := claimed(ledger), [trial(0)], "w0")
    stop = Entry(token, report(0, 2, math.nan), Stop(Outcome.DIVERGED, "val_loss is nan"), (0.5, 1))
    writer.record([Entry(token, report(0, 1)), stop, Entry(token, report(0, 3), stop.verdict)])
    assert [item.epoch for item in ledger.reports("mlp", 0)] == [1, 2]
    assert ledger.trials("mlp")[0].epochs == 2


def test_a_replayed_epoch_keeps_its_first_time(ledger: Ledger) -> None:
    """A second attempt replaces the numbers of an epoch, not its time: a tracker then sees the same point again."""
    [token] = numbered(writer := claimed(ledger), [trial(0)], "w0")
    writer.record([Entry(token, report(0, 1, 0.7, at=10.0)), Entry(token, report(0, 2, 0.6, at=11.0)), Entry(token, report(0, 3, at=12.0))])
    writer.release("w0")
    again = writer.start([0], "w1")[0]
    writer.record([Entry(again, report(0, 1, 0.8, at=20.0)), Entry(again, report(0, 2, 0.6, at=21.0), DONE, (0.6, 2))])
    assert [(item.epoch, item.at, item.metrics["val_loss"]) for item in ledger.reports("mlp", 0)] == [(1, 10.0, 0.8), (2, 11.0, 0.6)]


def test_a_stale_epoch_writes_nothing(ledger: Ledger) -> None:
    """After a claim every method of the old writer is refused, and the ledger is unchanged by it."""
    old = claimed(ledger)
    tokens = numbered(old, [trial(0), trial(1)], "w0")
    new = take_over(ledger, old)
    before = (ledger.sweep("mlp"), ledger.trials("mlp"), ledger.reports("mlp"), ledger.counts("mlp"))
    calls = [
        lambda: numbered(old, [trial(2)], "w0"),
        lambda: old.start([0], "w0"),
        lambda: old.record([Entry(tokens[0], report(0, 1))]),
        lambda: old.fail(tokens[0], "boom"),
        lambda: old.close(0, Outcome.FAILED, "lost"),
        lambda: old.release("w0"),
        lambda: old.close_open(Outcome.CANCELLED, "cancelled"),
        lambda: old.set_facts(a=1),
        lambda: old.extend(9),
        lambda: old.finish(SweepState.COMPLETE),
        old.beat,
        old.release_owner,
    ]
    for call in calls:
        with pytest.raises(StaleWriterError):
            call()
    assert (ledger.sweep("mlp"), ledger.trials("mlp"), ledger.reports("mlp"), ledger.counts("mlp")) == before
    assert numbered(new, [trial(2)], "w1")


def test_a_token_dies_with_its_owner(ledger: Ledger) -> None:
    """After a claim running attempts are lost, so that even the new writer refuses their tokens."""
    old = claimed(ledger)
    [token] = numbered(old, [trial(0)], "w0")
    new = take_over(ledger, old)
    with pytest.raises(StaleWriterError, match="not live"):
        new.record([Entry(token, report(0, 1))])
    assert new.start([0], "w1")[0] > token
    assert ledger.lost("mlp") == {}, "a driver's death is not the trial's fault"


def test_whoever_gives_the_sweep_up_leaves_nothing_running(ledger: Ledger) -> None:
    """Nobody owns it, no attempt is live, and every copy of the writer is stale."""
    writer = claimed(ledger)
    numbered(writer, [trial(0)], "w0")
    writer.release_owner()
    assert (ledger.known("mlp").owner, ledger.counts("mlp").running, ledger.live("mlp")) == (None, 0, {})
    with pytest.raises(StaleWriterError):
        ledger.writer("mlp", writer.epoch).beat()


def test_a_stale_token_spoils_the_whole_call(ledger: Ledger) -> None:
    """Of reports sent together either all are written or none."""
    writer = claimed(ledger)
    good, bad = numbered(writer, [trial(0), trial(1)], "w0")
    writer.fail(bad, "boom")
    with pytest.raises(StaleWriterError):
        writer.record([Entry(good, report(0, 1)), Entry(bad, report(1, 1))])
    assert ledger.reports("mlp") == []


def test_a_released_worker_is_fenced_off(ledger: Ledger) -> None:
    """The trials of a lost worker are open again, and its late reports are refused."""
    writer = claimed(ledger)
    tokens = numbered(writer, [trial(0), trial(1), trial(2)], "w0")
    finish(writer, 1, tokens[1])
    numbered(writer, [trial(3)], "w1")
    assert writer.release("w0") == {0: 1, 2: 1}
    assert writer.release("w0") == {}
    with pytest.raises(StaleWriterError):
        writer.record([Entry(tokens[0], report(0, 1))])
    assert (ledger.lost("mlp"), ledger.counts("mlp").running) == ({0: 1, 2: 1}, 1)
    assert ledger.live("mlp").keys() == {3}


def test_an_attempt_is_started_only_of_an_open_idle_trial(ledger: Ledger) -> None:
    """One live attempt per trial, none of a closed one."""
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    with pytest.raises(StaleWriterError, match="live attempt"):
        writer.start([0], "w1")
    with pytest.raises(ValueError, match="no trial 3"):
        writer.start([3], "w1")
    writer.fail(token, "boom")
    with pytest.raises(StaleWriterError, match="failed already"):
        writer.start([0], "w1")


def test_trials_numbered_ahead_wait_until_they_are_started(ledger: Ledger) -> None:
    """A batch is entered with the start of some of it; the others are open and idle, and are started later, together with a new one."""
    writer = claimed(ledger)
    [second] = writer.start([1], "w0", new=[trial(0), trial(1), trial(2)])
    counts = ledger.counts("mlp")
    assert (counts.numbered, counts.running, counts.open) == (3, 1, 3)
    assert ledger.live("mlp") == {1: Live(second, "w0")}
    tokens = writer.start([3, 0], "w1", new=[trial(3)])
    assert ledger.live("mlp") == {0: Live(tokens[1], "w1"), 1: Live(second, "w0"), 3: Live(tokens[0], "w1")}


def test_of_trials_started_together_all_start_or_none(ledger: Ledger) -> None:
    """One that has a live attempt spoils the call: no new trial is entered, no idle one started."""
    writer = claimed(ledger)
    writer.start([0], "w0", new=[trial(0), trial(1)])
    with pytest.raises(StaleWriterError, match=r"trial 0 .* live attempt"):
        writer.start([1, 0, 2], "w1", new=[trial(2)])
    assert (ledger.counts("mlp").numbered, ledger.live("mlp").keys()) == (2, {0})


def test_how_a_trial_is_trained_is_its_latest_attempts(ledger: Ledger) -> None:
    """The sentence comes with an attempt's first report; a retry that says another replaces it."""
    writer = claimed(ledger)
    tokens = numbered(writer, [trial(0), trial(1)], "w0")
    assert [record.how for record in ledger.trials("mlp")] == [None, None]
    first = [replace(report(0, 1), how="stacked: 8 lanes"), report(0, 2), replace(report(1, 1), how="plain: \0")]
    writer.record([Entry(token, item) for token, item in zip([tokens[0], tokens[0], tokens[1]], first, strict=True)])
    assert [record.how for record in ledger.trials("mlp")] == ["stacked: 8 lanes", "plain: \\x00"]
    assert [item.record.how for item in ledger.pending("mlp")] == ["stacked: 8 lanes", "plain: \\x00"]
    writer.release("w0")
    [again] = writer.start([0], "w1")
    writer.record([Entry(again, replace(report(0, 1), how="plain: one lane is faster"), DONE, (0.5, 1))])
    record = ledger.trial("mlp", 0)
    assert record is not None
    assert record.how == "plain: one lane is faster"
    assert [item.how for item in ledger.reports("mlp", 0)] == [None]


def test_wrong_calls_are_refused(ledger: Ledger) -> None:
    """A number twice or beyond the target, a token of another trial, a best value that is not finite."""
    writer = claimed(ledger)
    [token, _] = numbered(writer, [trial(0), trial(1)], "w0")
    for number in (0, 4, -1):
        with pytest.raises(ValueError, match="sweep 'mlp'"):
            numbered(writer, [replace(trial(2), number=number)], "w0")
    with pytest.raises(ValueError, match="of trial 0"):
        writer.record([Entry(token, report(1, 1))])
    with pytest.raises(ValueError, match="is nan"):
        writer.record([Entry(token, report(0, 1), DONE, (math.nan, 1))])
    assert (writer.start([], "w0"), writer.record([])) == ([], SweepState.OPEN)
    assert (ledger.reports("mlp"), ledger.counts("mlp").numbered) == ([], 2)


def test_failing_keeps_the_history_of_the_failed_attempt_only(ledger: Ledger) -> None:
    """Epochs that only an earlier attempt had reached are not part of the closed trial."""
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    writer.record([Entry(token, report(0, epoch)) for epoch in (1, 2, 3)])
    writer.release("w0")
    token = writer.start([0], "w1")[0]
    writer.record([Entry(token, report(0, 1), Continue("go on"))])
    writer.fail(token, "ValueError: \0 and \ud800")
    [record] = ledger.trials("mlp")
    assert (record.outcome, record.reason, record.epochs) == (Outcome.FAILED, "ValueError: \\x00 and \\ud800", 1)
    assert [item.epoch for item in ledger.reports("mlp", 0)] == [1]


def test_a_trial_is_given_up_after_its_worker_was_lost(ledger: Ledger) -> None:
    """An open trial without a live attempt can be closed as it stands."""
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    writer.record([Entry(token, report(0, 1))])
    with pytest.raises(StaleWriterError):
        writer.close(0, Outcome.FAILED, "too early")
    writer.release("w0")
    writer.close(0, Outcome.FAILED, "its worker died 3 times")
    [record] = ledger.trials("mlp")
    assert (record.outcome, record.epochs, record.seconds) == (Outcome.FAILED, 1, None)


def test_cancelling_closes_every_open_trial(ledger: Ledger) -> None:
    """Running and idle trials are closed, closed ones stay, and the sweep can then be finished as cancelled."""
    writer = claimed(ledger)
    tokens = numbered(writer, [trial(0), trial(1), trial(2)], "w0")
    finish(writer, 0, tokens[0])
    ledger.request_cancel("mlp")
    assert writer.beat() is SweepState.CANCELLING
    with pytest.raises(ValueError, match="2 trials are open"):
        writer.finish(SweepState.CANCELLED)
    assert writer.close_open(Outcome.CANCELLED, "cancelled") == [1, 2]
    writer.finish(SweepState.CANCELLED)
    counts = ledger.counts("mlp")
    assert (counts.complete, counts.cancelled, counts.open, counts.running) == (1, 2, 0, 0)
    ledger.request_cancel("mlp")
    record = ledger.known("mlp")
    assert record.state is SweepState.CANCELLED
    assert record.ended is not None


def test_a_sweep_is_complete_only_with_all_its_trials(ledger: Ledger) -> None:
    """The ledger refuses to call a sweep complete that is not, and to start trials in one that is."""
    writer = claimed(ledger, target=1)
    with pytest.raises(ValueError, match="0 of 1"):
        writer.finish(SweepState.COMPLETE)
    [token] = numbered(writer, [trial(0)], "w0")
    finish(writer, 0, token)
    writer.finish(SweepState.COMPLETE)
    with pytest.raises(StaleWriterError, match="is complete"):
        numbered(writer, [trial(0)], "w0")
    writer.extend(2)
    assert (ledger.known("mlp").state, ledger.known("mlp").ended) == (SweepState.OPEN, None)
    assert numbered(writer, [trial(1)], "w0")
    with pytest.raises(ValueError, match="has trial 1"):
        writer.extend(1)


def test_a_broken_sweep_can_be_opened_again(ledger: Ledger) -> None:
    """It may have open trials, and goes on after its code was mended."""
    writer = claimed(ledger)
    numbered(writer, [trial(0)], "w0")
    writer.finish(SweepState.BROKEN)
    writer = take_over(ledger, writer)
    writer.extend(4)
    assert writer.start([0], "w0")


def test_facts_are_merged(ledger: Ledger) -> None:
    """New facts replace those of the same key and leave the others."""
    writer = claimed(ledger)
    writer.set_facts(winner=3, test={"loss": math.inf})
    writer.set_facts(winner=4)
    assert ledger.known("mlp").facts == {"data_hash": "d" * 64, "winner": 4, "test": {"loss": math.inf}}


def test_writers_of_other_sweeps_are_not_concerned(ledger: Ledger) -> None:
    """A claim, a release or a removal of one sweep changes nothing of another."""
    one, two = claimed(ledger, "one"), claimed(ledger, "two")
    [token] = numbered(one, [trial(0)], "w0")
    [other] = numbered(two, [trial(0)], "w0")
    with pytest.raises(StaleWriterError):
        one.record([Entry(other, report(0, 1))])
    take_over(ledger, two).release("w0")
    one.record([Entry(token, report(0, 1))])
    before = (ledger.known("one"), ledger.trials("one"), ledger.reports("one"))
    two = ledger.writer("two", ledger.known("two").epoch)
    two.release_owner()
    ledger.remove("two")
    assert (ledger.known("one"), ledger.trials("one"), ledger.reports("one")) == before


def test_an_orphan_of_a_removed_sweep_cannot_write_into_its_namesake(ledger: Ledger) -> None:
    """Owner epochs and tokens are never given out twice."""
    old = claimed(ledger)
    [token] = numbered(old, [trial(0)], "w0")
    ledger.writer("mlp", old.epoch).release_owner()
    ledger.remove("mlp")
    with pytest.raises(StaleWriterError, match="not in the ledger"):
        old.beat()
    ledger.create_sweep(new_sweep())
    new = ledger.claim("mlp", Owner.here())
    [again] = numbered(new, [trial(0)], "w0")
    assert (new.epoch > old.epoch, again > token) == (True, True)
    with pytest.raises(StaleWriterError):
        numbered(old, [trial(1)], "w0")


def test_the_first_finding_of_a_range_test_stays(ledger: Ledger) -> None:
    """Two workers may make the same test; another sweep finds it by its signature; it goes with its sweep."""
    writer = claimed(ledger)
    finding = RangeFinding("ok", "fine \0", 1e-2, (1e-3, 1e-1), 300, 0.5, {"losses": [[2.3, None]]})
    for found in (finding, replace(finding, sentence="a second one")):
        writer.put_range_test("d", "s", found)
    [record] = ledger.range_tests("mlp")
    assert (record.digest, record.finding, record.cached) == ("d", replace(finding, sentence="fine \\x00"), False)
    assert ledger.equal_range_test("s") == record
    assert ledger.equal_range_test("of other data") is None
    stale, writer = writer, take_over(ledger, writer)
    with pytest.raises(StaleWriterError):
        stale.put_range_test("e", "s", finding)
    writer.release_owner()
    ledger.remove("mlp")
    assert ledger.equal_range_test("s") is None
