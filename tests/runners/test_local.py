from __future__ import annotations

import pytest

from sweeper.errors import StaleWriterError
from sweeper.runners import local
from sweeper.runners.local import here
from sweeper.trial import Outcome
from tests.runners.fakes import FakeDesk, FakeTrain, trial


def test_all_trials_are_trained_one_after_another() -> None:
    """Every trial ends before the next one starts."""
    desk, train = FakeDesk([trial(n) for n in range(3)]), FakeTrain()
    local.run(desk, train)
    assert list(desk.outcomes.items()) == [(n, Outcome.COMPLETE) for n in range(3)]
    assert [number for number, _, _ in train.commands] == sorted(number for number, _, _ in train.commands)
    assert not desk.open()


def test_an_interrupt_closes_the_training_and_goes_through() -> None:
    """After Ctrl-C the trial in hand is neither failed nor suspected of having brought its worker down."""

    def interrupt(epoch: int) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    desk, train = FakeDesk([trial(0), trial(1)]), FakeTrain(on_step=interrupt)
    with pytest.raises(KeyboardInterrupt):
        local.run(desk, train)
    assert (desk.released, desk.outcomes) == ([], {})
    assert train.closed == 1


def test_a_sweep_taken_over_by_another_process_is_an_error() -> None:
    """The caller learns that the sweep is no longer its own."""
    with pytest.raises(StaleWriterError):
        local.run(FakeDesk([trial(0)], stale={100}), FakeTrain())


def test_training_ends_when_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked between slices; what is in hand is closed as at an interrupt, and the caller learns that something is left."""
    monkeypatch.setattr(here, "SLICE_S", 0.0)
    desk, train = FakeDesk([trial(0), trial(1)]), FakeTrain()
    assert not local.run(desk, train, until=iter([False, False, False, True]))
    assert (desk.released, desk.outcomes, train.closed) == ([], {}, 1)
    assert desk.open()


def test_nothing_left_is_told_even_if_it_might_have_ended_sooner() -> None:
    """The sweep was over first."""
    assert local.run(FakeDesk([trial(0)]), FakeTrain(), until=iter([False, True]))
