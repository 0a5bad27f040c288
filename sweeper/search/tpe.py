"""TPE (Watanabe, 2023) by Optuna's ask and tell, and Optuna studies rebuilt from our own records.

Optuna holds nothing that cannot be rebuilt. A proposal is drawn by a *draft* trial that is failed at once, which TPE ignores;
what was accepted is then entered with its values fixed. A study that lived through a sweep and one rebuilt from the ledger
thus hold the same trials in the same order, and as the sampler is seeded anew for each proposal, they propose the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.samplers import RandomSampler as OptunaRandomSampler
from optuna.trial import TrialState

from sweeper.config.distributions import Auto, Choice, Distribution, Int, Log, Uniform
from sweeper.config.space import Leaf, Resolved, Space
from sweeper.search.blocks import EARLY_BLOCKS, Place
from sweeper.search.brackets import Bracket, Brackets
from sweeper.search.keyed import Drawable
from sweeper.search.keyed import seed as keyed_seed
from sweeper.search.past import Record, finite_points
from sweeper.search.sampler import RandomSampler
from sweeper.trial import Direction, Outcome, Scalar, Trial

STARTUP_TRIALS = 10
"""Closed trials before TPE's model is used; until then its proposals are random."""

STARTUP_SHAPES = EARLY_BLOCKS
"""Shapes that are random before TPE chooses them: of few, it would go on with the one of the default config."""

OFFSETS = FloatDistribution(-300.0, 300.0)
"""Decades from a suggestion, for trials that have been drawn; a proposal has its bracket's own ends."""
ANY_RATE = (1e-300, 1e300)
"""Of learning rates."""

_DRAFTS = 16  # TPE does not learn from a proposal that was turned down, so after this many the keyed random draw takes over

_STATES = {
    Outcome.COMPLETE: TrialState.COMPLETE,
    Outcome.PRUNED: TrialState.PRUNED,
    # Told as failed, a diverged config teaches TPE nothing and it goes on proposing its neighbours.
    Outcome.DIVERGED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
    Outcome.CANCELLED: TrialState.FAIL,
}


class TpeSampler:
    """TPE, each parameter for itself. A block that is for the best shape again gets that of the best complete trial so far.

    An ``auto`` learning rate is learnt as its distance from the suggestion of its own shape.
    """

    def __init__(self, space: Space, brackets: Brackets) -> None:
        self._space = space
        self._seed = space.base.search.seed
        self._metric = space.base.search.metric
        self._structural = frozenset(leaf.name for leaf in space.leaves if leaf.structural)
        self._brackets = brackets
        self._random = RandomSampler(space, brackets)
        self._history = History(space, brackets)
        self._open: dict[int, Trial] = {}
        self._best: tuple[float, Trial] | None = None

    def propose(self, place: Place, attempt: int, fixed: Mapping[str, Scalar], *, seed: int) -> Resolved:
        """See ``Sampler.propose``."""
        if attempt >= _DRAFTS or (place.sibling == 0 and place.block < STARTUP_SHAPES):
            return self._random.propose(place, attempt, fixed, seed=seed)
        if attempt == 0 and place.sibling == 0 and self._best is not None and place.again:
            fixed = {name: value for name, value in self._best[1].values.items() if name in self._structural}
        kind = "sibling" if fixed else "free"
        with _quiet():
            sampler = TPESampler(
                n_startup_trials=STARTUP_TRIALS,
                multivariate=False,
                seed=keyed_seed(self._seed, "tpe", kind, place.number, attempt),
            )
        with self._history.draft(sampler, fixed) as draft:

            def learnt(leaf: Leaf, bracket: Bracket) -> Scalar:
                return bracket.at(draft.suggest_float(leaf.name, bracket.offset(bracket.low), bracket.offset(bracket.high)))

            answer = self._brackets.guided(lambda leaf, distribution: suggest(draft, leaf.name, distribution), learnt)
            return self._space.resolve(answer, seed=seed)

    def enter(self, trial: Trial) -> None:
        """See ``Sampler.enter``."""
        self._history.enter(trial)
        self._open[trial.number] = trial

    def close(self, number: int, outcome: Outcome, points: Mapping[int, float]) -> None:
        """See ``Sampler.close``."""
        self._history.close(number, outcome, points)
        trial = self._open.pop(number)
        if outcome is Outcome.COMPLETE:
            value = (min if self._metric.direction is Direction.MINIMIZE else max)(points.values())
            if self._best is None or self._metric.better(value, self._best[0]):
                self._best = (value, trial)


class History:
    """An Optuna study in memory that holds our trials.

    Args:
        space: what they were drawn from.
        brackets: ``auto`` learning rates are entered as distances from the suggestion; None: as they are.
    """

    def __init__(self, space: Space, brackets: Brackets | None = None) -> None:
        self._brackets = brackets
        self._auto = {leaf.name for leaf in space.leaves if isinstance(leaf.distribution, Auto)}
        self._distributions = {leaf.name: _distribution(leaf.distribution) for leaf in space.leaves}
        self._minimize = space.base.search.metric.direction is Direction.MINIMIZE
        with _quiet():
            self.study = optuna.create_study(study_name=space.name, direction=space.base.search.metric.direction.value)
        self._open: dict[int, optuna.Trial] = {}

    @contextmanager
    def draft(self, sampler: BaseSampler, fixed: Mapping[str, Scalar]) -> Iterator[optuna.Trial]:
        """A trial that proposes by ``sampler``, with ``fixed`` values, and leaves no trace for samplers."""
        trial = self._ask(sampler, fixed, {})
        try:
            yield trial
        finally:
            self.study.tell(trial, state=TrialState.FAIL)

    def enter(self, trial: Trial) -> None:
        """Add a running trial with these values."""
        values, distributions = dict(trial.values), {name: self._distributions[name] for name in trial.values}
        bracket = None if self._brackets is None else self._brackets.of(trial)
        if bracket is not None:
            name = next(iter(self._auto & values.keys()))
            values[name], distributions[name] = bracket.offset(float(values[name])), OFFSETS  # type: ignore[arg-type]
        self._open[trial.number] = self._ask(OptunaRandomSampler(seed=0), values, distributions)

    def close(self, number: int, outcome: Outcome, points: Mapping[int, float]) -> None:
        """Finish a trial: complete with its best value, pruned with the values on its way, failed with none."""
        trial = self._open.pop(number)
        for epoch, value in points.items():
            trial.report(value, epoch)
        state = _STATES[outcome]
        if state is TrialState.COMPLETE:
            self.study.tell(trial, min(points.values()) if self._minimize else max(points.values()))
        else:
            self.study.tell(trial, state=state)

    def _ask(self, sampler: BaseSampler, fixed: Mapping[str, Scalar], distributions: dict[str, BaseDistribution]) -> optuna.Trial:
        with _quiet():
            self.study.sampler = PartialFixedSampler(dict(fixed), sampler)
        return self.study.ask(distributions)


def rebuild(space: Space, past: Sequence[Record]) -> optuna.Study:
    """The Optuna study of a sweep, for Optuna's plots and for checks: trial ``i`` there is trial ``i`` here.

    Complete trials are COMPLETE with their best value, pruned and diverged ones PRUNED with their finite values by epoch, failed
    and cancelled ones FAIL, open ones RUNNING. Works for sweeps of any sampler; ``past`` may be in any order.
    """
    history = History(space)
    for record in sorted(past, key=lambda record: record.trial.number):
        history.enter(record.trial)
        if record.outcome is not None:
            history.close(record.trial.number, record.outcome, finite_points(record.reports, space.base.search.metric))
    return history.study


def suggest(trial: optuna.Trial, name: str, distribution: Drawable) -> Scalar:
    """What an Optuna trial takes for a leaf of the space."""
    match distribution:
        case Uniform(low, high):
            return trial.suggest_float(name, low, high)
        case Log(low, high):
            return trial.suggest_float(name, low, high, log=True)
        case Int(low, _, step, log) as ints:
            return trial.suggest_int(name, low, ints.ends()[-1], step=step, log=log)
        case Choice(options):
            return trial.suggest_categorical(name, options)


def _distribution(distribution: Distribution) -> BaseDistribution:
    match distribution:
        case Uniform(low, high):
            return FloatDistribution(low, high)
        case Log(low, high):
            return FloatDistribution(low, high, log=True)
        case Int(low, _, step, log) as ints:
            return IntDistribution(low, ints.ends()[-1], log=log, step=step)  # Optuna warns where the upper bound is not a step
        case Choice(options):
            return CategoricalDistribution(options)
        case Auto():
            return FloatDistribution(*ANY_RATE, log=True)  # where trials were drawn from, only the range tests say


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's note on each new study and its warnings that these samplers are experimental; nothing else is touched."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
