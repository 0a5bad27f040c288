"""The desk remembers before it answers, and goes on where another desk ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.app.outcome import show
from sweeper.app.sweep import finished
from sweeper.errors import InfrastructureError, StaleWriterError
from sweeper.ledger import invariants
from sweeper.ledger.records import SweepState
from sweeper.runners import local
from sweeper.runners.session import Session
from sweeper.trial import Continue, Lease, Outcome, RangeTest, Report, Stop

from .conftest import SPACE, Formula, Stage


def _log(stage: Stage) -> list[tuple[Any, ...]]:
    """What was decided: configs, outcomes and sentences, in order of number."""
    return [(r.number, dict(r.trial.values), r.outcome, r.reason, r.best_value, r.epochs) for r in stage.ledger.trials("small")]


def test_trains_every_trial_once(stage: Stage) -> None:
    """A sweep ends with all its trials closed, each with a sentence, some pruned at rungs."""
    local.run(stage.desk(), Formula())
    records = stage.ledger.trials("small")
    assert len(records) == 12
    assert {record.outcome for record in records} == {Outcome.COMPLETE, Outcome.PRUNED}
    assert all(record.reason for record in records)
    assert invariants.check(stage.ledger, stage.ledger.known("small")) == []


def test_reports_are_in_the_ledger_before_the_verdict_is_out(stage: Stage) -> None:
    """What a worker has been answered, another process can read."""
    desk = stage.desk()
    lease = desk.lease("a", 1)
    assert lease is not None
    verdict = desk.report(lease.tokens, [Report(0, 1, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9)])
    assert isinstance(verdict[0], Continue)
    assert [report.epoch for report in stage.ledger.reports("small", 0)] == [1]


@pytest.mark.parametrize("done", [0, 1, 5, 11])
def test_an_interrupted_sweep_decides_like_an_uninterrupted_one(stage: Stage, tmp_path_factory: pytest.TempPathFactory, done: int) -> None:
    """After any number of trials a new owner goes on, and configs, outcomes and sentences are the same."""
    whole = Stage(tmp_path_factory.mktemp("whole"))
    local.run(whole.desk(), Formula())
    desk = stage.desk()
    session = Session("a", desk, Formula())
    while stage.ledger.counts("small").closed < done:
        session.run(0.0)
    desk.lease("a", 1)  # in hand when the driver dies
    stage.release()
    local.run(stage.desk(), Formula())
    assert _log(stage) == _log(whole)


def test_a_stale_owner_is_refused(stage: Stage) -> None:
    """Orphans of a killed driver cannot write once another driver has the sweep."""
    old = stage.desk()
    lease = old.lease("a", 1)
    assert lease is not None
    stage.release()
    stage.desk()
    with pytest.raises(StaleWriterError):
        old.report(lease.tokens, [Report(0, 1, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9)])
    assert stage.ledger.reports("small") == []


def test_a_lost_trial_is_handed_out_again_before_new_ones(stage: Stage) -> None:
    """A dead worker's trial comes next, with a new token, and its reports start from the beginning."""
    desk = stage.desk()
    first = desk.lease("a", 1)
    assert first is not None
    desk.report(first.tokens, [Report(0, 1, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9)])
    desk.release("a")
    again = desk.lease("b", 1)
    assert again is not None
    assert again.trials == first.trials
    assert again.tokens != first.tokens


def test_a_trial_that_kills_its_workers_is_failed(stage: Stage) -> None:
    """After three lost attempts the trial is failed with a reason, and the sweep goes on."""
    desk = stage.desk()
    for _ in range(3):
        lease = desk.lease("a", 1)
        assert lease is not None
        assert lease.trials[0].number == 0
        desk.release("a")
    record = stage.ledger.trial("small", 0)
    assert record is not None
    assert (record.outcome, record.reason) == (Outcome.FAILED, "its worker died 3 times")
    assert desk.lease("a", 1) is not None


def test_a_desk_that_is_built_again_knows_who_still_trains(stage: Stage) -> None:
    """When only the desk's process died, the worker's report is taken and its trial is not handed out twice."""
    lease = stage.desk().lease("a", 1)
    assert lease is not None
    desk = stage.same_desk()
    other = desk.lease("b", 1)
    assert other is not None
    assert other.trials[0].number == 2, "the first of another shape"
    report = Report(0, 9, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9, "all 9 epochs")
    assert desk.report(lease.tokens, [report]) == [Stop(Outcome.COMPLETE, "complete at epoch 9: all 9 epochs")]


def test_cancel_stops_running_trials_and_gives_no_new_ones(stage: Stage) -> None:
    """After a request to cancel the next report is answered by a stop."""
    desk = stage.desk()
    lease = desk.lease("a", 1)
    assert lease is not None
    stage.ledger.request_cancel("small")
    verdict = desk.report(lease.tokens, [Report(0, 1, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9)])
    assert verdict == [Stop(Outcome.CANCELLED, "cancelled at epoch 1")]
    assert desk.lease("a", 1) is None
    assert not desk.open()


def test_a_trial_that_ends_is_exchanged_for_the_next(stage: Stage) -> None:
    """While it goes on there is none; a store that fails in between loses neither the end nor the next one; cancelled, it gives none."""
    desk = stage.desk()
    first = desk.lease("a", 1)
    assert isinstance(first, Lease)
    going = Report(0, 1, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9)
    verdicts, lease = desk.exchange("a", first.tokens, [going])
    assert (type(verdicts[0]), lease) == (Continue, None)
    with pytest.MonkeyPatch.context() as failing:
        failing.setattr("sweeper.ledger.writer.Writer.start", _full)
        with pytest.raises(InfrastructureError):
            desk.exchange("a", first.tokens, [replace(going, epoch=9, ended="all 9 epochs")])
    assert stage.ledger.trials("small")[0].outcome is Outcome.COMPLETE
    second = desk.lease("a", 1)
    assert _leased(second) == [1]
    assert second is not None
    verdicts, third = desk.exchange("a", second.tokens, [replace(going, trial=1, epoch=9, ended="all 9 epochs")])
    assert (verdicts, _leased(third)) == ([Stop(Outcome.COMPLETE, "complete at epoch 9: all 9 epochs")], [2])
    assert third is not None
    stage.ledger.request_cancel("small")
    verdicts, lease = desk.exchange("a", third.tokens, [replace(going, trial=2)])
    assert (verdicts, lease) == ([Stop(Outcome.CANCELLED, "cancelled at epoch 1")], None)


def test_cancel_amid_several_reports_of_a_trial_closes_it_once(stage: Stage) -> None:
    """Of a worker that brings the epochs since its last call all are kept, and the trial ends at the last."""
    desk = stage.desk()
    lease = desk.lease("a", 1)
    assert lease is not None
    stage.ledger.request_cancel("small")
    reports = [Report(0, epoch, {"train_loss": 1.0, "val_loss": 1.0 / epoch}, 1.7e9) for epoch in (1, 2, 3)]
    verdicts = desk.report([lease.tokens[0]] * 3, reports)
    assert [isinstance(verdict, Stop) for verdict in verdicts] == [False, False, True]
    record = stage.ledger.trial("small", 0)
    assert record is not None
    assert (record.outcome, record.epochs, record.best_epoch) == (Outcome.CANCELLED, 3, 3)
    assert invariants.check(stage.ledger, stage.ledger.known("small")) == []


def test_nan_is_diverged_and_never_best(stage: Stage) -> None:
    """A report that is not finite ends its trial as diverged."""
    desk = stage.desk()
    lease = desk.lease("a", 1)
    assert lease is not None
    verdict = desk.report(lease.tokens, [Report(0, 1, {"train_loss": 1.0, "val_loss": float("nan")}, 1.7e9)])
    assert verdict == [Stop(Outcome.DIVERGED, "diverged at epoch 1: val_loss is nan")]
    assert stage.ledger.best("small") is None


def test_equal_failures_from_the_start_are_broken_code(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three equal failures and nothing else end the sweep as broken; nothing more is handed out, and the remedy tries these again, too."""
    desk = stage.desk()
    for _ in range(3):
        lease = desk.lease("a", 1)
        assert lease is not None
        desk.fail(lease.tokens[0], lease.trials[0].number, "TypeError: broken")
    assert stage.ledger.known("small").state is SweepState.BROKEN
    assert not desk.open()
    monkeypatch.setenv("SWEEPER_LEDGER_URL", stage.url)
    show(finished(stage.ledger, "small", 0, 0.0))
    assert "mend it and run again, with --fresh" in " ".join(capsys.readouterr().out.split())


def _full(*_arguments: object, **_more: object) -> None:
    raise InfrastructureError("the disk is full")


def _leased(lease: Lease | None) -> list[int]:
    """The numbers of a lease."""
    return [] if lease is None else [trial.number for trial in lease.trials]


@pytest.fixture
def late(tmp_path: Path) -> Stage:
    """A sweep of 28 trials whose first sixteen, two to a shape, have ended: eight of one shape come next, then four of another."""
    stage = Stage(tmp_path, SPACE.replace("trials: 12", "trials: 28"))
    session = Session("early", stage.desk(), Formula())
    while stage.ledger.counts("small").closed < 16:
        session.run(0.0)
    stage.release()
    return stage


def test_a_worker_fills_its_lanes_with_trials_of_one_shape(late: Stage) -> None:
    """It takes one trial and then as many siblings as it has lanes; freed lanes are filled as long as there are some."""
    desk = late.desk()
    first = desk.lease("a", 1)
    assert first is not None
    more = desk.lease("a", 5, first.trials[0])
    assert more is not None
    assert len({trial.shape for trial in (*first.trials, *more.trials)}) == 1
    assert _leased(more) == [17, 18, 19, 20, 21]
    desk.fail(more.tokens[0], 17, "broken")
    assert _leased(desk.lease("a", 1, more.trials[0])) == [22]
    assert _leased(desk.lease("a", 5, first.trials[0])) == [23]
    assert desk.lease("a", 5, first.trials[0]) is None
    counts = late.ledger.counts("small")
    assert (counts.numbered, counts.running) == (24, 7)


def test_what_was_numbered_ahead_is_there_after_a_crash(late: Stage) -> None:
    """Trials that no worker had yet, and those that went down with the driver, are handed out side by side by the next owner."""
    lease = late.desk().lease("a", 3)
    assert _leased(lease) == [16, 17, 18]
    late.release()
    desk = late.desk()
    assert _leased(desk.lease("b", 8)) == [16, 17, 18, 19, 20, 21, 22, 23]
    assert _leased(desk.lease("c", 8)) == [24, 25], "half of the last four, for there are two workers"
    desk.release("b")
    assert late.ledger.counts("small").running == 2


def test_suspects_are_handed_out_alone(late: Stage) -> None:
    """Trials that were lost together are trained one by one, also by a desk that was built again, and only then new ones side by side."""
    desk = late.desk()
    assert _leased(desk.lease("a", 3)) == [16, 17, 18]
    desk.release("a")
    alone = desk.lease("a", 8)
    assert alone is not None
    assert _leased(alone) == [16]
    assert desk.lease("a", 7, alone.trials[0]) is None
    desk = late.same_desk()
    assert desk.lease("a", 7, alone.trials[0]) is None
    desk.fail(alone.tokens[0], 16, "the culprit")
    assert desk.lease("a", 1, alone.trials[0]) is None
    for number in (17, 18):
        again = desk.lease("a", 8)
        assert _leased(again) == [number]
        assert again is not None
        desk.report(again.tokens, [Report(number, 9, {"train_loss": 1.0, "val_loss": 1.0}, 1.7e9, "all 9 epochs")])
    assert _leased(desk.lease("a", 8)) == [19, 20, 21, 22, 23]
    outcomes = {record.number: record.outcome for record in late.ledger.trials("small")}
    assert (outcomes[16], outcomes[17], outcomes[18]) == (Outcome.FAILED, Outcome.COMPLETE, Outcome.COMPLETE)


def test_trials_that_come_to_a_rung_together_are_judged_together(tmp_path: Path) -> None:
    """The first in the call has no advantage, and what happened is in the ledger in one piece: verdicts, and how each is trained."""
    stage = Stage(tmp_path, SPACE.replace("sampler: random", "sampler: random, shapes: 1"))
    desk = stage.desk()
    lease = desk.lease("a", 3)
    assert lease is not None
    reports = [Report(n, 2, {"train_loss": 1.0, "val_loss": 3.0 - n}, 1.7e9, how="stacked: 3 lanes" if n else None) for n in range(3)]
    verdicts = desk.report(lease.tokens, reports)
    assert [isinstance(verdict, Stop) for verdict in verdicts] == [True, True, False]
    assert verdicts[0].sentence == "pruned at epoch 2: val_loss 3 is worse than the rung's 1 (1 of 3 goes on)"
    records = stage.ledger.trials("small")
    assert [record.outcome for record in records[:3]] == [Outcome.PRUNED, Outcome.PRUNED, None]
    assert [record.how for record in records[:3]] == [None, "stacked: 3 lanes", "stacked: 3 lanes"]


def test_what_could_not_be_recorded_is_recorded_with_the_next_lease(late: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails once while trials are numbered leaves no gap."""
    desk = late.desk()
    with monkeypatch.context() as failing:
        failing.setattr("sweeper.ledger.writer.Writer.start", _full)
        with pytest.raises(InfrastructureError):
            desk.lease("a", 4)
    assert _leased(desk.lease("a", 4)) == [16, 17, 18, 19]
    assert [record.number for record in late.ledger.trials("small")] == list(range(24))


@pytest.mark.parametrize("workers", [1, 2])
def test_lanes_change_neither_configs_nor_counts(stage: Stage, tmp_path_factory: pytest.TempPathFactory, workers: int) -> None:
    """With five lanes per worker every trial is trained once, and is the one that it is with one lane."""
    one = Stage(tmp_path_factory.mktemp("one"))
    local.run(one.desk(), Formula())
    desk = stage.desk()
    sessions = [Session(f"w{worker}", desk, Formula(lanes=5)) for worker in range(workers)]
    while sum(session.run(0.0) for session in sessions):
        pass
    records = stage.ledger.trials("small")
    assert [record.trial for record in records] == [record.trial for record in one.ledger.trials("small")]
    assert {record.outcome for record in records} == {Outcome.COMPLETE, Outcome.PRUNED}
    assert invariants.check(stage.ledger, stage.ledger.known("small")) == []
    assert not desk.open()


AUTO = SPACE.replace("lr: {log: [1e-4, 1e-1]}", "lr: {auto: [1e-6, 1.0]}")


def test_range_tests_are_made_before_their_trials_and_only_once(staged: Callable[[str], Stage]) -> None:
    """One per shape, recorded with its cost; the next owner makes none again, and every trial lies in its bracket."""
    stage = staged(AUTO)
    train = Formula(bracket=(1e-3, 1e-1))
    desk = stage.desk()
    session = Session("a", desk, train)
    while stage.ledger.counts("small").closed < 1:
        session.run(0.0)
    assert len(stage.ledger.range_tests("small")) == 1
    stage.release()
    local.run(stage.desk(), train)
    records = stage.ledger.range_tests("small")
    assert [test.digest for test in train.tests] == [record.digest for record in records]
    assert len(records) == len({record.trial.shape for record in stage.ledger.trials("small")}) > 1
    assert {(record.finding.cost_steps, record.cached) for record in records} == {(300, False)}
    rates = [record.trial.config["optimizer"]["lr"] for record in stage.ledger.trials("small")]
    assert rates[0] == pytest.approx(1e-2)
    assert all(1e-3 <= rate <= 1e-1 for rate in rates)
    assert invariants.check(stage.ledger, stage.ledger.known("small")) == []


def test_range_tests_in_the_making_are_in_the_facts(staged: Callable[[str], Stage]) -> None:
    """Of every worker, until it asks again or is gone, with how many are done."""
    stage = staged(AUTO)
    desk = stage.desk()

    def facts() -> Any:
        return stage.ledger.known("small").facts.get("testing")

    tests = [desk.lease(worker, 1) for worker in "ab"]
    assert isinstance(tests[0], RangeTest)
    shape = f"model.width {tests[0].config['model']['width']}"
    assert facts() == {"shapes": [shape, shape], "done": 0}
    desk.release("b")
    assert facts() == {"shapes": [shape], "done": 0}
    desk.tested(tests[0], Formula().range_test(tests[0]))
    assert isinstance(desk.lease("a", 1), Lease)
    assert facts() == {"shapes": [], "done": 1}


@pytest.mark.parametrize("done", [0, 5, 11])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_sweep_with_range_tests_decides_like_an_uninterrupted_one(
    staged: Callable[[str], Stage], tmp_path_factory: pytest.TempPathFactory, done: int, sampler: str
) -> None:
    """Also when the driver dies between the order for a test and its finding, and where edges move out."""
    text = AUTO.replace("sampler: random, pruner: asha", f"sampler: {sampler}, pruner: none").replace("trials: 12", "trials: 32")
    narrow = (2e-4, 3e-3)  # below the best learning rate, so that the high edge moves
    whole = Stage(tmp_path_factory.mktemp("whole"), text)
    local.run(whole.desk(), Formula(bracket=narrow))
    stage = staged(text)
    session = Session("a", stage.desk(), Formula(bracket=narrow))
    while stage.ledger.counts("small").closed < done:
        session.run(0.0)
    stage.release()
    stage.desk().lease("a", 1)  # in hand, or a test that is ordered, when the driver dies
    stage.release()
    local.run(stage.desk(), Formula(bracket=narrow))
    assert _log(stage) == _log(whole)
    assert max(record.trial.config["optimizer"]["lr"] for record in stage.ledger.trials("small")) > narrow[1]


def test_a_test_of_a_users_model_is_made_again(tmp_path: Path) -> None:
    """Nobody knows whether its code is what it was."""
    text = AUTO.replace(
        "{family: mlp, width: {choice: [8, 16, 32]}, dropout: {uniform: [0.0, 0.5]}}", "{family: custom, path: 'nets:build'}"
    )
    for name in ("small", "other"):
        local.run(Stage(tmp_path, text, name=name).desk(), train := Formula())
        assert len(train.tests) == 1


def test_an_equal_test_of_another_sweep_costs_nothing(tmp_path: Path) -> None:
    """The same config on the same data was tested before: its finding is taken, at no cost, and says so."""
    first, second = Stage(tmp_path, AUTO), Stage(tmp_path, AUTO, name="other")
    local.run(first.desk(), Formula())
    train = Formula()
    local.run(second.desk(), train)
    assert train.tests == []
    assert {(record.cached, record.finding.cost_steps) for record in second.ledger.range_tests("other")} == {(True, 0)}
    assert [r.trial.values for r in first.ledger.trials("small")] == [r.trial.values for r in second.ledger.trials("other")]
