"""When another worker session is of use, without any process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from sweeper.errors import InfrastructureError, StaleWriterError, SweeperError

if TYPE_CHECKING:
    from sweeper.runners.ray_tune.sessions import Sessions


@dataclass
class DeskState:
    """What the sessions ask the desk."""

    is_open: bool = True
    count: int = 0
    error: SweeperError | None = None
    released: list[str] = field(default_factory=list)

    def open(self) -> bool:
        """As scripted."""
        if self.error is not None:
            raise self.error
        return self.is_open

    def recorded(self) -> int:
        """As scripted."""
        return self.count

    def release(self, worker: str) -> None:
        """Remember it."""
        if self.error is not None:
            raise self.error
        self.released.append(worker)


@pytest.fixture
def desk() -> DeskState:
    """With something open."""
    return DeskState()


@pytest.fixture
def sessions(desk: DeskState) -> Sessions:
    """Of two workers."""
    from sweeper.runners.ray_tune.sessions import Sessions

    return Sessions(desk, workers=2, name="mlp")  # type: ignore[arg-type]


def test_the_first_sessions_do_not_wait_for_the_desk(sessions: Sessions, desk: DeskState) -> None:
    """While the desk is being built as many sessions start as there are workers."""
    desk.error = InfrastructureError("still importing")
    assert sessions.suggest("a") == {"worker": "mlp/a"}
    assert sessions.suggest("b") == {"worker": "mlp/b"}
    assert sessions.trouble is None


def test_no_session_is_started_beside_living_ones_once_one_ended_idle(sessions: Sessions) -> None:
    """A session that ended by itself found nothing to take; another would find nothing either."""
    sessions.suggest("a")
    sessions.suggest("b")
    sessions.on_trial_complete("a", {"done": True})
    assert sessions.suggest("c") is None


def test_a_dead_worker_is_released_and_replaced(sessions: Sessions, desk: DeskState) -> None:
    """Its trials are open again, so one more session is of use even if another had ended idle before."""
    sessions.suggest("a")
    sessions.suggest("b")
    sessions.on_trial_complete("a", {"done": True})
    sessions.on_trial_complete("b", error=True)
    assert desk.released == ["mlp/a", "mlp/b"]
    assert sessions.suggest("c") == {"worker": "mlp/c"}


def test_a_refused_session_is_replaced(sessions: Sessions) -> None:
    """One of its trials was given to another worker, and those that it gives back need one."""
    sessions.suggest("a")
    sessions.suggest("b")
    sessions.on_trial_complete("a", {"done": True, "stale": True})
    assert sessions.suggest("c") == {"worker": "mlp/c"}


def test_it_is_finished_when_nothing_is_open(sessions: Sessions, desk: DeskState) -> None:
    """Tune is told so in its own word."""
    sessions.suggest("a")
    sessions.suggest("b")
    desk.is_open = False
    assert sessions.suggest("c") == sessions.FINISHED


def test_workers_that_only_die_are_not_replaced_for_ever(sessions: Sessions, desk: DeskState) -> None:
    """After some deaths in a row with nothing recorded it gives up; anything recorded starts the count anew."""
    deaths = 0
    while sessions.suggest(str(deaths)) != sessions.FINISHED:
        desk.count += deaths == 3
        sessions.on_trial_complete(str(deaths), error=True)
        deaths += 1
    assert deaths == 9
    assert sessions.exhausted()


@pytest.mark.parametrize("error", [StaleWriterError("driven by another process"), InfrastructureError("gone")])
def test_a_refusal_of_the_desk_ends_it_and_is_kept(sessions: Sessions, desk: DeskState, error: SweeperError) -> None:
    """The error is the driver's to raise; Tune would wrap it."""
    sessions.suggest("a")
    desk.error = error
    sessions.on_trial_complete("a", error=True)
    assert sessions.suggest("b") == sessions.FINISHED
    assert sessions.trouble is error


def test_trouble_told_by_a_session_ends_it(sessions: Sessions) -> None:
    """A failing store met on a worker is told to the driver in its sentence."""
    sessions.suggest("a")
    sessions.on_trial_complete("a", {"done": True, "trouble": "the disk is full"})
    assert sessions.suggest("b") == sessions.FINISHED
    assert str(sessions.trouble) == "the disk is full"


def test_release_gives_back_what_living_sessions_hold(sessions: Sessions, desk: DeskState) -> None:
    """Those that have ended were released already."""
    sessions.suggest("a")
    sessions.suggest("b")
    sessions.on_trial_complete("a", {"done": True})
    sessions.release()
    assert desk.released == ["mlp/a", "mlp/b"]
