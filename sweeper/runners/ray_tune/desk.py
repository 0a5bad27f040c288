"""The desk as its callers in other processes see it."""

from __future__ import annotations

from typing import Any

import ray

from sweeper.errors import InfrastructureError
from sweeper.runners.calls import CalledDesk, PipedDesk
from sweeper.runners.ray_tune.line import GONE, connected


class RemoteDesk(CalledDesk):
    """The desk behind an actor's handle; Ray repeats a call through a restart of the actor.

    Raises:
        InfrastructureError: the actor, or the whole cluster, is gone for good.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def call(self, method: str, *arguments: Any) -> Any:
        """Wait for the actor's answer; an error raised there is raised here as itself."""
        return _got(self._actor.call.remote(method, *arguments))

    def recorded(self) -> int:
        """As ``DeskServer.recorded``."""
        answer: int = _got(self._actor.recorded.remote())
        return answer


class NearDesk(RemoteDesk):
    """The same for a worker, which calls often: by the desk's line if that is on the worker's machine.

    When the line breaks, the desk's process is gone: the call is repeated by Ray, and so are all that follow.
    """

    def __init__(self, actor: Any) -> None:
        super().__init__(actor)
        self._asked = False
        self._piped: PipedDesk | None = None

    def call(self, method: str, *arguments: Any) -> Any:
        """As ``RemoteDesk.call``."""
        if not self._asked:
            address = _got(self._actor.address.remote())
            self._asked, self._piped = True, address and connected(address)
        if self._piped is not None:
            try:
                return self._piped.call(method, *arguments)
            except GONE:
                self._piped = None
        return super().call(method, *arguments)


def _got(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InfrastructureError(f"the desk of the sweep is gone ({type(error).__name__})") from error
