"""A worker session as Tune sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune import Trainable

from sweeper.data.dataset import Dataset
from sweeper.errors import InfrastructureError
from sweeper.ports import Train
from sweeper.runners.failure import describe
from sweeper.runners.ray_tune.desk import NearDesk
from sweeper.runners.session import Session

SLICE_S = 1.0
"""Seconds that a session trains between two words with Tune, which acts only then."""


class Worker(Trainable):
    """Each step is a slice of a session's training; the process may serve several sessions, one after another."""

    def setup(  # type: ignore[override]  # Tune passes the values of with_parameters by name
        self, config: dict[str, Any], desk: Any, data: Dataset, make_train: Callable[[Dataset], Train]
    ) -> None:
        """Build the training once per process; ``data`` is read in place from the object store."""
        self._desk = NearDesk(desk)
        self._broken: str | None = None
        try:
            self._train = make_train(data)
        except Exception as error:  # noqa: BLE001 - told by the first step: an error here would only start another process in vain
            self._broken = f"training cannot be set up on a worker: {describe(error)}"
            return
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another session."""
        if self._broken is not None:
            return True
        self._session = Session(new_config["worker"], self._desk, self._train)
        return True

    def step(self) -> dict[str, Any]:
        """Train for a slice; what is not a trial's fault ends the session with its sentence."""
        if self._broken is not None:
            return {"done": True, "trouble": self._broken}
        try:
            more = self._session.run(SLICE_S)
        except InfrastructureError as error:
            return {"done": True, "trouble": str(error)}
        return {"done": not more, "stale": self._session.stale is not None}

    def cleanup(self) -> None:
        """Close what is in hand."""
        if self._broken is None:
            self._session.close()
