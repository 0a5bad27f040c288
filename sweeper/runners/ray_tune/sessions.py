"""Tells Tune when another worker session is of use: in Tune's words a search algorithm, though it searches nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from sweeper.errors import InfrastructureError, SweeperError
from sweeper.runners.ray_tune.desk import RemoteDesk


class Sessions(Searcher):
    """Hands out sessions while the desk has work for them.

    Args:
        desk: knows what is open.
        workers: how many sessions are of use before the desk has been asked.
        name: the sweep's name, for the workers' names.

    Attributes:
        trouble: why the sweep cannot go on; None while it can.
    """

    def __init__(self, desk: RemoteDesk, workers: int, name: str) -> None:
        super().__init__()
        self.trouble: SweeperError | None = None
        self._desk = desk
        self._name = name
        self._unasked = workers
        self._live: set[str] = set()
        self._sated = False
        self._recorded = 0
        self._barren = 0
        self._most_barren = workers + 2

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:  # type: ignore[override]  # Ray's type forgets FINISHED
        """A new session, None while those that live are enough, FINISHED when nothing is open or nothing helps."""
        if not self._of_use():
            finished: str = Searcher.FINISHED
            return finished
        if self._sated and self._live:
            return None
        self._live.add(trial_id)
        return {"worker": self._worker(trial_id)}

    def exhausted(self) -> bool:
        """Whether so many sessions died in a row that another would not help."""
        return self._barren > self._most_barren

    def _of_use(self) -> bool:
        if self.trouble is not None or self.exhausted():
            return False
        if self._unasked > 0:
            # The desk's process is still importing; the first sessions start meanwhile.
            self._unasked -= 1
            return True
        try:
            return self._desk.open()
        except SweeperError as error:
            self.trouble = error
            return False

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A session has ended, died or been refused: what it held is open again, for which another session is of use."""
        self._live.discard(trial_id)
        last = result or {}
        if "trouble" in last:
            self.trouble = InfrastructureError(last["trouble"])
        try:
            self._desk.release(self._worker(trial_id))
            recorded = self._desk.recorded()
        except SweeperError as refused:
            self.trouble = refused
            return
        lost = error or last.get("stale", False)
        if recorded != self._recorded:
            self._recorded, self._barren = recorded, 0
        elif lost or not self._live:
            self._barren += 1
        self._sated = not lost

    def release(self) -> None:
        """Give back what the living sessions hold."""
        for trial_id in sorted(self._live):
            self._desk.release(self._worker(trial_id))
        self._live.clear()

    def _worker(self, trial_id: str) -> str:
        return f"{self._name}/{trial_id}"

    def save(self, checkpoint_path: str) -> None:
        """An empty file, which Tune asks for: the ledger has it all."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Never asked for: a fit is started anew from the ledger."""
