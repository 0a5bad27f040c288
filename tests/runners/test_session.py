from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.errors import InfrastructureError
from sweeper.runners.calls import CalledDesk
from sweeper.runners.session import Session
from sweeper.trial import Command, Continue, Outcome, RangeTest, Refill, Report, Stop, Trial, Verdict
from tests.runners.fakes import EPOCHS, GO_ON, FakeDesk, FakeTrain, report, trial

PATIENT = 3600.0


def test_reports_ride_along_until_an_epoch_of_the_lease_asks() -> None:
    """The desk is called at the epochs it asked for and at the end, with all that happened in between."""
    desk, train = FakeDesk([trial(0)]), FakeTrain()
    assert not Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert desk.calls == [[(0, 1), (0, 2)], [(0, 3), (0, 4), (0, 5), (0, 6)], [(0, 7), (0, 8), (0, 9)]]
    assert desk.outcomes == {0: Outcome.COMPLETE}
    assert train.closed == 1


def test_an_impatient_session_reports_every_epoch() -> None:
    """With no patience nothing waits, and every report arrives exactly once."""
    desk = FakeDesk([trial(0)])
    Session("w", desk, FakeTrain(), patience_s=0.0).run(math.inf)
    assert desk.calls == [[(0, epoch)] for epoch in range(1, EPOCHS + 1)]


def test_a_slow_epoch_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report goes out at once when the next one would come too late to take it along."""
    now = 0.0

    def slow(_epoch: int) -> None:
        nonlocal now
        now += 3.0

    monkeypatch.setattr("sweeper.runners.session.time.monotonic", lambda: now)
    desk = FakeDesk([trial(0)])
    Session("w", desk, FakeTrain(on_step=slow), patience_s=2.0).run(math.inf)
    assert [len(call) for call in desk.calls] == [1] * EPOCHS


def test_a_non_finite_report_asks_at_once() -> None:
    """A diverged trial is not trained on for another epoch."""
    desk, train = FakeDesk([trial(0)]), FakeTrain(nan=(0, 4))
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert desk.outcomes == {0: Outcome.DIVERGED}
    assert train.commands[-1] == (0, 4, Stop(Outcome.DIVERGED, "the loss is not finite"))


def test_a_stop_ends_one_lane_and_leaves_the_others() -> None:
    """Of three lanes the pruned one reports no more and the others train to their end, in one call per question."""

    def prune(r: Report) -> Verdict:
        return Stop(Outcome.PRUNED, "worse than the rung") if (r.trial, r.epoch) == (1, 2) else GO_ON

    desk, train = FakeDesk([trial(0), trial(1), trial(2)], prune), FakeTrain(side=3)
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert desk.outcomes == {0: Outcome.COMPLETE, 1: Outcome.PRUNED, 2: Outcome.COMPLETE}
    assert max(epoch for number, epoch, _ in train.commands if number == 1) == 2
    assert [len(call) for call in desk.calls] == [6, 8, 6]


def test_a_stop_for_a_buffered_report_stands() -> None:
    """A sweep cancelled between two rungs stops the lane even though its newest report was answered with go on."""

    def cancel(r: Report) -> Verdict:
        return Stop(Outcome.CANCELLED, "cancelled") if r.epoch == 3 else GO_ON

    desk, train = FakeDesk([trial(0)], cancel), FakeTrain()
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert train.commands[-1] == (0, 6, Stop(Outcome.CANCELLED, "cancelled"))


def test_a_trial_whose_code_raises_is_failed_after_its_reports_and_the_session_goes_on() -> None:
    """The reason has type, message and place; what was buffered is recorded first; the next lease is trained."""
    seen: list[int] = []

    def break_once(epoch: int) -> None:
        seen.append(epoch)
        if len(seen) == 4:
            raise ValueError("a width of 0 makes no sense")

    desk = FakeDesk([trial(0), trial(1)])
    Session("w", desk, FakeTrain(on_step=break_once), patience_s=PATIENT).run(math.inf)
    assert desk.outcomes == {0: Outcome.FAILED, 1: Outcome.COMPLETE}
    assert desk.reasons[0].startswith("ValueError: a width of 0 makes no sense\n")
    assert "in break_once: raise ValueError" in desk.reasons[0]
    assert desk.calls[:2] == [[(0, 1), (0, 2)], [(0, 3)]]


def test_freed_lanes_are_filled_in_one_call() -> None:
    """Two lanes that are pruned together are asked for once; the new trials begin at once beside the one that goes on."""

    def prune(r: Report) -> Verdict:
        return Stop(Outcome.PRUNED, "worse") if r.trial in {1, 2} else GO_ON

    desk, train = FakeDesk([trial(n) for n in range(6)], prune), FakeTrain(side=3)
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert train.stacks == [[0, 1, 2]]
    assert desk.leases == [(1, None), (2, 0), (2, 0), (1, 0), (2, 0), (1, 0), (1, None)]
    refills = [(number, epoch, command.trial.number) for number, epoch, command in train.commands if isinstance(command, Refill)]
    assert refills == [(1, 2, 3), (2, 2, 4), (0, 9, 5)]
    assert desk.outcomes == {number: Outcome.PRUNED if number in {1, 2} else Outcome.COMPLETE for number in range(6)}
    assert train.closed == 1


def test_where_nothing_is_left_of_a_shape_the_lanes_become_fewer() -> None:
    """The desk has one trial for two free lanes: the other one stays stopped."""

    def prune(r: Report) -> Verdict:
        return Stop(Outcome.PRUNED, "worse") if r.trial in {1, 2} else GO_ON

    desk, train = FakeDesk([trial(n) for n in range(4)], prune), FakeTrain(side=3)
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert [type(command) for number, epoch, command in train.commands if number in {1, 2} and epoch == 2] == [Refill, Stop]
    assert set(desk.outcomes) == {0, 1, 2, 3}


def test_one_lane_takes_one_trial_after_another() -> None:
    """Where one lane is faster nothing is asked for beside it, and each trial is a stack of its own."""
    desk, train = FakeDesk([trial(n) for n in range(3)]), FakeTrain()
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert desk.leases == [(1, None)] * 4
    assert train.stacks == [[0], [1], [2]]


def test_the_next_trial_comes_with_the_verdict_that_ends_one() -> None:
    """A trial that is trained alone costs a call at each question and none for its lease."""
    methods: list[str] = []

    class Counted(CalledDesk):
        def call(self, method: str, *arguments: Any) -> Any:
            methods.append(method)
            return getattr(desk, method)(*arguments)

    desk, train = FakeDesk([trial(n) for n in range(3)]), FakeTrain()
    Session("w", Counted(), train, patience_s=PATIENT).run(math.inf)
    assert methods == ["lease", *["exchange"] * 9]
    assert train.stacks == [[0], [1], [2]]


def test_a_broken_stack_is_given_back_and_only_the_culprit_fails() -> None:
    """Nobody knows whose fault it was: each of the live lanes runs again, alone; one that had been stopped before keeps its outcome."""

    def prune(r: Report) -> Verdict:
        return Stop(Outcome.PRUNED, "worse") if r.trial == 1 else GO_ON

    desk, train = FakeDesk([trial(0), trial(1), trial(2)], prune), FakeTrain(side=3, poison=(2, 5))
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert desk.released == ["w"]
    assert train.stacks == [[0, 1, 2], [0], [2]]
    assert desk.outcomes == {0: Outcome.COMPLETE, 1: Outcome.PRUNED, 2: Outcome.FAILED}
    assert desk.reasons.keys() == {2}
    assert desk.reasons[2].startswith("ValueError: poison\n")
    assert train.closed == 3


def test_what_a_broken_stack_had_reported_may_still_end_a_trial() -> None:
    """The last reports go out before the stack is given back: a trial that ended with them is not trained again."""

    def stop(r: Report) -> Verdict:
        return Stop(Outcome.PRUNED, "worse") if (r.trial, r.epoch) == (0, 4) else GO_ON

    desk, train = FakeDesk([trial(0), trial(1)], stop), FakeTrain(side=2, poison=(0, 5))
    Session("w", desk, train, patience_s=PATIENT).run(math.inf)
    assert train.stacks == [[0, 1], [1]]
    assert desk.outcomes == {0: Outcome.PRUNED, 1: Outcome.COMPLETE}


def test_a_trial_whose_lanes_cannot_be_counted_is_failed() -> None:
    """What raises while the shape is measured is the trial's failure, as if training had raised it; the next one goes on."""

    class Picky(FakeTrain):
        def lanes(self, trial: Trial, most: int) -> int:  # noqa: ARG002
            if trial.number == 0:
                raise ValueError("a width of 0 makes no sense")
            return 1

    desk = FakeDesk([trial(0), trial(1)])
    Session("w", desk, Picky(), patience_s=PATIENT).run(math.inf)
    assert desk.outcomes == {0: Outcome.FAILED, 1: Outcome.COMPLETE}
    assert desk.reasons[0].startswith("ValueError: a width of 0 makes no sense\n")


def test_a_lane_that_is_stopped_amid_a_round_of_others_is_told_when_it_reports() -> None:
    """A resumed lane reports its old epochs in rounds of its own; what such a call stops elsewhere is heard in that lane's next round."""
    heard: list[list[Command]] = []

    class Rounds(FakeTrain):
        def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:  # noqa: ARG002
            heard.append((yield [report(0, 1), report(1, 1)]))
            heard.append((yield [report(0, 2)]))
            heard.append((yield [report(0, 9), report(1, 2)]))

    def cancel(r: Report) -> Verdict:
        return Stop(Outcome.CANCELLED, "cancelled") if r.trial == 1 else GO_ON

    desk = FakeDesk([trial(0), trial(1)], cancel)
    Session("w", desk, Rounds(side=2), patience_s=PATIENT).run(math.inf)
    assert [[type(command) for command in commands] for commands in heard] == [[Continue, Continue], [Continue], [Stop, Stop]]
    assert desk.calls == [[(0, 1), (1, 1), (0, 2)], [(0, 9)]]


def test_training_that_ends_without_a_last_report_is_failed() -> None:
    """No trial stays open because its training forgot to say that it ended."""

    class Silent(FakeTrain):
        def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
            yield [report(trials[0].number, 1)]

    desk = FakeDesk([trial(0)])
    Session("w", desk, Silent(), patience_s=PATIENT).run(math.inf)
    assert desk.reasons == {0: "training ended without a last report"}
    assert desk.calls == [[(0, 1)]]


def test_a_training_that_raises_before_its_first_step_is_failed() -> None:
    """An error at the call counts like one in a step."""

    class Broken(FakeTrain):
        def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:  # noqa: ARG002
            raise TypeError("build() got an unexpected keyword argument")

    desk = FakeDesk([trial(0)])
    Session("w", desk, Broken()).run(math.inf)
    assert desk.outcomes == {0: Outcome.FAILED}


def test_a_refused_writer_ends_the_session() -> None:
    """Once another writer has taken over, the session closes its training, says so, and takes no further lease."""
    desk, train = FakeDesk([trial(0), trial(1)], stale={100}), FakeTrain()
    session = Session("w", desk, train, patience_s=PATIENT)
    assert not session.run(math.inf)
    assert session.stale is not None
    assert train.closed == 1
    assert not session.run(math.inf)
    assert [t.number for t in desk.todo] == [1]


def test_a_failing_store_is_not_the_trials_fault() -> None:
    """An infrastructure error goes through, and the trial is not closed as failed."""

    def disk_full(_epoch: int) -> None:
        raise InfrastructureError("the disk is full")

    desk = FakeDesk([trial(0)])
    with pytest.raises(InfrastructureError, match="disk is full"):
        Session("w", desk, FakeTrain(on_step=disk_full)).run(math.inf)
    assert desk.outcomes == {}


def test_an_interrupt_is_not_the_trials_fault() -> None:
    """Ctrl-C inside training goes through; closing the session closes the generator."""

    def interrupt(epoch: int) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    desk, train = FakeDesk([trial(0)]), FakeTrain(on_step=interrupt)
    session = Session("w", desk, train)
    with pytest.raises(KeyboardInterrupt):
        session.run(math.inf)
    session.close()
    assert desk.outcomes == {}
    assert train.closed == 1


def test_slices_return_at_each_report_and_keep_the_stack() -> None:
    """With slices of no length the session pauses after each step, and the calls equal those of one long run."""
    long, short = FakeDesk([trial(0), trial(1)]), FakeDesk([trial(0), trial(1)])
    Session("w", long, FakeTrain(), patience_s=PATIENT).run(math.inf)
    session = Session("w", short, FakeTrain(), patience_s=PATIENT)
    slices = 1
    while session.run(0.0):
        slices += 1
    assert short.calls == long.calls
    assert slices > 2 * EPOCHS


def test_closing_between_slices_closes_the_training() -> None:
    """What is in hand is closed, and nothing is told to the desk."""
    desk, train = FakeDesk([trial(0)]), FakeTrain()
    session = Session("w", desk, train, patience_s=PATIENT)
    assert session.run(0.0)
    assert session.run(0.0)
    session.close()
    session.close()
    assert train.closed == 1
    assert desk.calls == []


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 7),
    lanes=st.integers(1, 3),
    patience=st.sampled_from([0.0, PATIENT]),
    stops=st.dictionaries(st.tuples(st.integers(0, 6), st.integers(1, EPOCHS)), st.sampled_from([Outcome.PRUNED, Outcome.CANCELLED])),
    poison=st.none() | st.tuples(st.integers(0, 6), st.integers(1, EPOCHS)),
)
def test_every_report_arrives_once_in_order_and_every_trial_ends(
    count: int, lanes: int, patience: float, stops: dict[tuple[int, int], Outcome], poison: tuple[int, int] | None
) -> None:
    """Whatever the lanes, the patience and the verdicts, a trial's epochs arrive 1, 2, 3, ... and it gets one outcome.

    Where one trial brings its stack down, each of the stack is trained once more, alone, and nobody else fails.
    """

    def rule(r: Report) -> Verdict:
        outcome = stops.get((r.trial, r.epoch))
        return GO_ON if outcome is None else Stop(outcome, "by the script")

    desk = FakeDesk([trial(n) for n in range(count)], rule)
    train = FakeTrain(side=lanes, poison=poison)
    Session("w", desk, train, patience).run(math.inf)
    assert set(desk.outcomes) == set(range(count))
    assert set(desk.reasons) <= {None if poison is None else poison[0]}
    assert max(map(len, train.stacks)) <= lanes
    assert all(len(stack) == 1 for stack in train.stacks[1:] if desk.alone.intersection(stack))
    for number in range(count):
        epochs = [epoch for call in desk.calls for n, epoch in call if n == number]
        begun = [position for position, epoch in enumerate(epochs) if epoch == 1]
        assert len(begun) <= 1 + (number in desk.alone)
        for start, end in pairwise([*begun, len(epochs)]):
            assert epochs[start:end] == list(range(1, end - start + 1))


def test_range_tests_that_are_wanted_are_made_first() -> None:
    """Then the lease goes on; one that raises is a finding with a sentence, and the trials are trained all the same."""
    wanted = [RangeTest(digest, {}, 3, digest) for digest in ("a", "b")]
    desk, train = FakeDesk([trial(0), trial(1)], wanted=wanted), FakeTrain(bad_tests=frozenset("b"))
    Session("w", desk, train).run(math.inf)
    assert train.tests == ["a", "b"]
    assert desk.findings["a"].bracket == (0.01, 1.0)
    assert (desk.findings["b"].status, desk.findings["b"].bracket) == ("failed", None)
    assert desk.findings["b"].sentence == "the range test failed: ValueError: nobody can train this"
    assert desk.outcomes == {0: Outcome.COMPLETE, 1: Outcome.COMPLETE}
