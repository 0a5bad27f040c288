"""The desk as its callers in other processes see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray

from sweeper.errors import InfrastructureError
from sweeper.trial import Lease, RangeFinding, RangeTest, Report, Trial, Verdict


class RemoteDesk:
    """The desk behind an actor's handle; Ray repeats a call through a restart of the actor.

    Raises:
        InfrastructureError: the actor, or the whole cluster, is gone for good.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """As ``Desk.lease``."""
        answer: Lease | RangeTest | None = _answer(self._actor.lease.remote(worker, lanes, beside))
        return answer

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """As ``Desk.tested``."""
        _answer(self._actor.tested.remote(test, finding))

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """As ``Desk.report``."""
        answer: list[Verdict] = _answer(self._actor.report.remote(tokens, reports))
        return answer

    def fail(self, token: int, trial: int, reason: str) -> None:
        """As ``Desk.fail``."""
        _answer(self._actor.fail.remote(token, trial, reason))

    def release(self, worker: str) -> None:
        """As ``Desk.release``."""
        _answer(self._actor.release.remote(worker))

    def open(self) -> bool:
        """As ``Desk.open``."""
        answer: bool = _answer(self._actor.open.remote())
        return answer

    def recorded(self) -> int:
        """As ``DeskServer.recorded``."""
        answer: int = _answer(self._actor.recorded.remote())
        return answer


def _answer(reference: Any) -> Any:
    """Wait for the actor's answer; an error raised there is raised here as itself."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InfrastructureError(f"the desk of the sweep is gone ({type(error).__name__})") from error
