"""Which worker gets which trials: numbered by the study, handed out shape by shape. Pure: it decides and does nothing.

Numbering follows the sweep's order (``blocks``), handing out does not: a worker stays with a shape while it has trials, so that freed lanes
are refilled. Where that order is fixed, what each trial is does not depend on who trains it, when, or beside whom; where blocks grow, a
refill may number the trials that it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sweeper.trial import Trial


class Numbering(Protocol):
    """What numbers new trials: the study."""

    @property
    def unnumbered(self) -> int:
        """How many trials of the sweep have no number yet."""

    def ask(self, lanes: int = 1, beside: Trial | None = None) -> list[Trial]:
        """The next batch; with ``beside``, only if it holds trials of that one's shape."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A trial in training, and the worker that has it."""

    worker: str
    trial: Trial


class Pool:
    """The open trials of a sweep: those that wait, by shape, and those that workers hold.

    A *suspect* is a trial that lost an attempt with its worker or its stack, when nobody knew whose fault it was. It is handed out alone: a
    trial that takes its worker down must not take its neighbours down again and again.

    Args:
        numbering: is asked for new trials when no shape is left that nobody works on.

    Attributes:
        new: numbered since anything was last handed out; they are to be recorded together with the start of what is handed out next.
    """

    def __init__(self, numbering: Numbering) -> None:
        self.new: list[Trial] = []
        self._held: dict[int, _Held] = {}
        self._numbering = numbering
        self._waiting: dict[str, list[Trial]] = {}
        self._suspects: dict[int, Trial] = {}
        self._alone: set[int] = set()
        self._workers: set[str] = set()

    def add(self, trials: Iterable[Trial]) -> None:
        """These wait to be handed out; in order of number."""
        for trial in trials:
            self._waiting.setdefault(trial.shape, []).append(trial)

    def suspect(self, trial: Trial) -> None:
        """This one waits too, and will be handed out alone."""
        self._held.pop(trial.number, None)
        self._suspects[trial.number] = trial
        self._alone.add(trial.number)

    def choose(self, worker: str, lanes: int, beside: Trial | None = None) -> list[Trial]:
        """What this worker gets: at most ``lanes`` trials of one shape, none when there is nothing for it (now).

        Nothing is handed out yet, so that after a failure in between the same trials are chosen again: ``hand`` does it.

        Args:
            worker: its name.
            lanes: at most how many trials, at least one; at the end of the sweep fewer, so that every worker has some.
            beside: only trials of this one's shape, to be trained beside or after it; none of a suspect's.

        Raises:
            InputError: ``forbid`` leaves nothing to try.
            Unmeasured: a range test is wanted first; nothing has changed.
        """
        limit = self._fair(worker, lanes)
        if beside is not None:
            return [] if beside.number in self._alone else self._of_shape(beside, limit)
        if self._suspects:
            return [self._suspects[min(self._suspects)]]
        if not self._free():
            self._number(limit)
        if free := self._free():
            return min(free, key=lambda trials: trials[0].number)[:limit]
        return max(self._waiting.values(), key=len, default=[])[:limit]

    def hand(self, worker: str, trials: Iterable[Trial]) -> None:
        """The worker has these now, and what is ``new`` was recorded."""
        self.new.clear()
        self._workers.add(worker)
        for trial in trials:
            if self._suspects.pop(trial.number, None) is None:
                waiting = self._waiting[trial.shape]
                waiting.remove(trial)
                if not waiting:
                    del self._waiting[trial.shape]
            self._held[trial.number] = _Held(worker, trial)

    def held_by(self, worker: str) -> dict[int, Trial]:
        """What this worker holds, by number."""
        return {number: held.trial for number, held in self._held.items() if held.worker == worker}

    def close(self, number: int) -> None:
        """The trial has ended."""
        del self._held[number]

    def dismiss(self, worker: str) -> None:
        """The worker is gone, and counts no more where shares are fair."""
        self._workers.discard(worker)

    def _free(self) -> list[list[Trial]]:
        """What waits, of each shape that nobody works on."""
        busy = {held.trial.shape for held in self._held.values()}
        return [trials for shape, trials in self._waiting.items() if shape not in busy]

    def _of_shape(self, trial: Trial, limit: int) -> list[Trial]:
        lacking = limit - len(self._waiting.get(trial.shape, []))
        if lacking > 0:
            self._number(lacking, trial)
        return self._waiting.get(trial.shape, [])[:limit]

    def _number(self, lanes: int, beside: Trial | None = None) -> None:
        batch = self._numbering.ask(lanes, beside)
        self.new += batch
        self.add(batch)

    def _fair(self, worker: str, lanes: int) -> int:
        """At most a share of what is not started, so that none of the workers known is idle while another has a stack of trials."""
        unstarted = self._numbering.unnumbered + len(self._suspects) + sum(map(len, self._waiting.values()))
        return max(1, min(lanes, -(-unstarted // len(self._workers | {worker}))))
