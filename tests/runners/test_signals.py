from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from sweeper.runners.ray_tune.signals import sigterm_as_interrupt


class Terminated(BaseException):
    """What the caller's handler raises."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """The caller's handler of SIGTERM."""

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    yield
    assert signal.getsignal(signal.SIGTERM) is terminate
    signal.signal(signal.SIGTERM, before)


def test_sigterm_leaves_the_block_as_an_interrupt_and_becomes_what_the_caller_raises() -> None:
    """Inside, only KeyboardInterrupt is seen; outside, only the caller's own exception."""
    inside: list[type[BaseException]] = []

    def wait() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException as error:
            inside.append(type(error))
            raise

    with pytest.raises(Terminated), sigterm_as_interrupt():
        wait()
    assert inside == [KeyboardInterrupt]


def test_a_plain_interrupt_goes_through() -> None:
    """Ctrl-C is not SIGTERM."""
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        raise KeyboardInterrupt


def test_without_a_signal_nothing_happens() -> None:
    """The handler is put back."""
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_as_interrupt():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
