"""Early stopping of trials that do worse than others did at the same epoch.

The tables are our own: Optuna's successive halving walks through all trials at every call, these are sorted lists and stay
flat. Only finite values arrive here (``study`` sees to it): a NaN compares as neither better nor worse, and an infinity among
the best would prune everything after it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import Protocol

from sweeper.config.space import Space
from sweeper.trial import Continue, Direction, Metric, Outcome, Stop, Verdict

MEDIAN_TRIALS = 5
"""The median rule says nothing before this many other trials have a value at the epoch."""


class Pruner(Protocol):
    """Judges a trial by its best value so far."""

    @property
    def ask_at(self) -> frozenset[int]:
        """The epochs at which it decides."""

    def note(self, number: int, epoch: int, best: float) -> None:
        """The trial's best value up to this epoch is known. A value noted before is replaced."""

    def judge(self, number: int, epoch: int, best: float) -> Verdict:
        """Whether the trial, whose best value up to this epoch was noted, goes on."""

    def forget(self, number: int) -> None:
        """The trial's values never were."""


class NoPruner:
    """Every trial runs to its end."""

    ask_at: frozenset[int] = frozenset()

    def note(self, number: int, epoch: int, best: float) -> None:
        """There is nothing to note."""

    def judge(self, number: int, epoch: int, best: float) -> Verdict:  # noqa: ARG002 - the Protocol's signature
        """See ``Pruner.judge``."""
        return Continue(f"goes on after epoch {epoch}: no pruner")

    def forget(self, number: int) -> None:
        """There is nothing to forget."""


class AshaPruner:
    """Asynchronous successive halving (Li et al., 2020), the stopping kind.

    At the rungs ``grace * reduction**k < epochs`` a trial goes on when its best value so far is among the best ``n / reduction``, rounded
    up, of the n values seen at that rung until now, its own included. (Ray's scheduler keeps as many. Rounded down, a stack whose eight
    trials reach a rung together would go on with two.)
    """

    def __init__(self, metric: Metric, epochs: int, grace: int, reduction: int) -> None:
        self._metric = metric
        self._reduction = reduction
        self._rungs = {epoch: Table(metric) for epoch in rungs(epochs, grace, reduction)}
        self.ask_at = frozenset(self._rungs)

    def note(self, number: int, epoch: int, best: float) -> None:
        """See ``Pruner.note``."""
        if epoch in self._rungs:
            self._rungs[epoch].put(number, best)

    def judge(self, number: int, epoch: int, best: float) -> Verdict:  # noqa: ARG002 - the Protocol's signature
        """See ``Pruner.judge``."""
        if epoch not in self._rungs:
            return Continue(f"goes on after epoch {epoch}: no rung")
        table = self._rungs[epoch]
        keep = -(-len(table) // self._reduction)
        cutoff = table.nth(keep - 1)
        of = f"the rung's {cutoff:.4g} ({keep} of {len(table)} {'goes' if keep == 1 else 'go'} on)"
        if self._metric.better(cutoff, best):
            return Stop(Outcome.PRUNED, f"pruned at epoch {epoch}: {self._metric} {best:.4g} is worse than {of}")
        return Continue(f"goes on at epoch {epoch}: {self._metric} {best:.4g} is not worse than {of}")

    def forget(self, number: int) -> None:
        """See ``Pruner.forget``."""
        for table in self._rungs.values():
            table.remove(number)


class MedianPruner:
    """The median rule (Golovin et al., 2017, Vizier).

    From the grace epoch on, a trial whose best value so far is worse than the median of the other trials' best values up to that
    epoch is pruned, once five others have one.
    """

    def __init__(self, metric: Metric, epochs: int, grace: int) -> None:
        self._metric = metric
        self._epochs = {epoch: Table(metric) for epoch in range(grace, epochs)}
        self.ask_at = frozenset(self._epochs)

    def note(self, number: int, epoch: int, best: float) -> None:
        """See ``Pruner.note``."""
        if epoch in self._epochs:
            self._epochs[epoch].put(number, best)

    def judge(self, number: int, epoch: int, best: float) -> Verdict:
        """See ``Pruner.judge``."""
        if epoch not in self._epochs:
            return Continue(f"goes on after epoch {epoch}: within the grace")
        table = self._epochs[epoch]
        table.remove(number)
        others, median = len(table), table.median() if len(table) >= MEDIAN_TRIALS else math.nan
        table.put(number, best)
        if others < MEDIAN_TRIALS:
            return Continue(f"goes on after epoch {epoch}: {others} other trials were here, the median rule wants {MEDIAN_TRIALS}")
        if self._metric.better(median, best):
            return Stop(
                Outcome.PRUNED,
                f"pruned at epoch {epoch}: {self._metric} {best:.4g} is worse than the median {median:.4g} of {others} trials",
            )
        return Continue(
            f"goes on after epoch {epoch}: {self._metric} {best:.4g} is not worse than the median {median:.4g} of {others} trials"
        )

    def forget(self, number: int) -> None:
        """See ``Pruner.forget``."""
        for table in self._epochs.values():
            table.remove(number)


class Table:
    """One value per trial, sorted from best to worst; finding a place takes a number of comparisons logarithmic in the trials."""

    def __init__(self, metric: Metric) -> None:
        self._sign = 1.0 if metric.direction is Direction.MINIMIZE else -1.0
        self._keys: list[float] = []
        self._of: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, number: int, value: float) -> None:
        """Set the trial's value."""
        self.remove(number)
        self._of[number] = key = self._sign * value
        insort(self._keys, key)

    def remove(self, number: int) -> None:
        """Take the trial's value out, if it has one."""
        key = self._of.pop(number, None)
        if key is not None:
            del self._keys[bisect_left(self._keys, key)]

    def nth(self, index: int) -> float:
        """The value at this 0-based rank; 0 is the best."""
        return self._sign * self._keys[index]

    def median(self) -> float:
        """The median value."""
        middle = len(self._keys) // 2
        if len(self._keys) % 2:
            return self.nth(middle)
        return (self.nth(middle - 1) + self.nth(middle)) / 2


def rungs(epochs: int, grace: int, reduction: int) -> list[int]:
    """The epochs ``grace * reduction**k`` below ``epochs``, ascending."""
    found = []
    epoch = grace
    while epoch < epochs:
        found.append(epoch)
        epoch *= reduction
    return found


def pruner_of(space: Space) -> Pruner:
    """The pruner that ``search.pruner`` names, for the longest training that the space allows."""
    search = space.base.search
    epochs = int(_most(space, "training.epochs", space.base.training.epochs))
    match search.pruner:
        case "asha":
            return AshaPruner(search.metric, epochs, grace_of(space, epochs), search.reduction)
        case "median":
            return MedianPruner(search.metric, epochs, grace_of(space, epochs))
        case "none":
            return NoPruner()


def grace_of(space: Space, epochs: int) -> int:
    """The first epoch at which a trial may be pruned; ``auto`` waits for the warm-up's end.

    A warm-up in steps is not known in epochs here: beside it ``auto`` is refused when the space is read.

    While the learning rate still climbs, the lead belongs to whoever climbs fastest: on digits, rungs inside the warm-up cost the winner
    half a percent of test accuracy.
    """
    if space.base.search.grace_epochs != "auto":
        return space.base.search.grace_epochs
    written = [config.schedule.warmup_length(epochs) or 0.0 for config in (space.base, *space.corners())]
    searched = [_most(space, "schedule.warmup_fraction", 0.0) * epochs, _most(space, "schedule.warmup_epochs", 0.0)]
    return max(2, math.ceil(max(written + searched)) + 1)


def _most(space: Space, path: str, fixed: float) -> float:
    """The largest value that a key may take."""
    searched = [leaf.distribution.ends() for leaf in space.leaves if leaf.path == path]
    return max([fixed, *(end for ends in searched for end in ends if isinstance(end, int | float))])
