"""The stack of a team: the loop in rank 0 sees a stack like any other, the other processes follow it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import torch

from sweeper.config.files import config_from_tree
from sweeper.core.batches import Resident
from sweeper.core.parallel.crew import Crew, crew_of
from sweeper.core.parallel.lane import TeamLane
from sweeper.core.parallel.team import Team
from sweeper.core.schedule import Schedule
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial


class TeamStack(PlainStack):
    """A process's own lanes.

    Args:
        trials: of one shape; their position is their slot.
        data: on this process's device.
        team: the processes.
        rates: another schedule than the configs'.
        steps: horizon of ``rates``.
    """

    def __init__(
        self, trials: Sequence[Trial], data: Resident, team: Team, rates: Schedule | None = None, steps: int | None = None
    ) -> None:
        self._team = team
        super().__init__(trials, data, rates, steps)

    def _lane(self, trial: Trial) -> TeamLane:
        if config_from_tree(trial.config).resources.sharding == "none":
            return TeamLane(trial, self._data, self._team, self._rates, self._steps)
        from sweeper.core.parallel.shards import ShardedLane  # its import takes two seconds

        return ShardedLane(trial, self._data, self._team, self._rates, self._steps)


class LedLane:
    """A trial that all processes train, as the course of rank 0 sees it (``Lane``).

    Args:
        crew: the processes.
        slot: its place in their stacks.
    """

    def __init__(self, crew: Crew, slot: int) -> None:
        self._crew = crew
        self._slot = slot
        self._own = crew.member.lane(slot)
        self.trial = self._own.trial
        self.config = self._own.config
        self._sharded = self.config.resources.sharding != "none"

    @property
    def epoch(self) -> int:
        """See ``Lane``."""
        return self._own.epoch

    @property
    def level(self) -> float:
        """See ``Lane``."""
        return self._own.level

    @level.setter
    def level(self, value: float) -> None:
        if value != self._own.level:
            self._crew.call("level", self._slot, value)

    @property
    def parameters(self) -> int:
        """See ``Lane.parameters``."""
        return self._own.parameters

    def state(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.state``."""
        found: Mapping[str, torch.Tensor] = self._crew.call("state", self._slot) if self._sharded else self._own.state()
        return found

    def memory(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.memory``."""
        found: Mapping[str, torch.Tensor] = self._crew.call("memory", self._slot) if self._sharded else self._own.memory()
        return found

    def recall(self, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """See ``Lane.recall``."""
        self._crew.call("recall", self._slot, {name: tensor.cpu() for name, tensor in memory.items()}, epoch)


class LedStack:
    """Lanes by slot in all processes (``Stack``).

    Args:
        trials: of one shape; their position is their slot.
        data: on rank 0's device.
        rates: another schedule than the configs'.
        steps: horizon of ``rates``.

    Raises:
        InputError: a config does not fit the data, or there are fewer GPUs than processes.
        MemberError: another process failed.
    """

    def __init__(self, trials: Sequence[Trial], data: Resident, rates: Schedule | None = None, steps: int | None = None) -> None:
        self._crew = crew_of(data, config_from_tree(trials[0].config).resources.processes)
        self._crew.call(
            "begin", [asdict(trial) for trial in trials], None if rates is None or steps is None else [rates(step) for step in range(steps)]
        )

    def lane(self, slot: int) -> LedLane:
        """See ``Stack.lane``."""
        return LedLane(self._crew, slot)

    def put(self, slot: int, trial: Trial) -> LedLane:
        """See ``Stack.put``."""
        self._crew.call("put", slot, asdict(trial))
        return self.lane(slot)

    def drop(self, slot: int) -> None:
        """See ``Stack.drop``."""
        self._crew.call("drop", slot)

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """See ``Stack.run_epoch``."""
        found: dict[int, dict[str, float]] = self._crew.call("run_epoch")
        return found

    def record(self, steps: int) -> torch.Tensor:
        """See ``Stack.record``."""
        found: torch.Tensor = self._crew.call("record", steps)
        return found

    def validate(self) -> dict[int, dict[str, float]]:
        """See ``Stack.validate``."""
        found: dict[int, dict[str, float]] = self._crew.call("validate")
        return found

    def rehearse(self) -> Iterator[object]:
        """See ``Stack.rehearse``."""
        self._crew.call("rehearse")
        while self._crew.call("rehearsed"):
            yield None
