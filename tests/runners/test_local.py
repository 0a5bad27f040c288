from __future__ import annotations

import pytest

from sweeper.errors import StaleWriterError
from sweeper.runners import local
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
