"""The desk as its callers in other processes see it."""

from __future__ import annotations

from typing import Any

import ray

from sweeper.errors import InfrastructureError
from sweeper.runners.calls import CalledDesk


class RemoteDesk(CalledDesk):
    """The desk behind an actor's handle; Ray repeats a call through a restart of the actor.

    Raises:
        InfrastructureError: the actor, or the whole cluster, is gone for good.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def call(self, method: str, *arguments: Any) -> Any:
        """Wait for the actor's answer; an error raised there is raised here as itself."""
        try:
            return ray.get(getattr(self._actor, method).remote(*arguments))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise InfrastructureError(f"the desk of the sweep is gone ({type(error).__name__})") from error

    def recorded(self) -> int:
        """As ``DeskServer.recorded``."""
        answer: int = self.call("recorded")
        return answer
