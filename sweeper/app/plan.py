"""``sweeper plan``: what a sweep would do, told before it costs anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from sweeper.app.existing import known_sweeps
from sweeper.app.home import Home
from sweeper.app.naming import Choice, choose
from sweeper.config.distributions import Auto, Distribution, Int, Log, Uniform
from sweeper.config.distributions import Choice as Options
from sweeper.config.files import find_space
from sweeper.config.parse_distribution import AUTO
from sweeper.config.space import Space
from sweeper.search.brackets import SEEDS, Unmeasured
from sweeper.search.study import Study
from sweeper.tracking.words import scalar
from sweeper.trial import RangeFinding, Trial

SHOWN = 5


@dataclass(frozen=True)
class Plan:
    """A sweep before it starts.

    Attributes:
        first: the first configs; a random search draws all its configs like this, TPE only those before it has learnt.
        rungs: epochs at which trials are pruned.
    """

    choice: Choice
    first: tuple[Trial, ...]
    rungs: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        space = self.choice.space
        return {
            "sweep": self.choice.name,
            "action": self.choice.action.value,
            "trials": space.base.search.trials,
            "epochs": space.base.training.epochs,
            "combinations": space.combinations(),
            "parameters": {leaf.name: told(leaf.distribution) for leaf in space.leaves},
            "rungs": list(self.rungs),
            "first": [dict(trial.values) for trial in self.first],
        }


def plan(space_name: str, overrides: Sequence[str], trials: int | None, name: str | None) -> Plan:
    """Work out what ``sweep`` would do; nothing is created.

    Raises:
        InputError: bad input.
    """
    more = [f"search.trials={trials}"] if trials is not None else []
    space = Space.load(find_space(space_name), [*overrides, *more])
    choice = choose(space, known_sweeps(Home.from_environment()), name=name, fresh=False)
    study = Study(choice.space, choice.space.base.search.trials)
    first: list[Trial] = []
    auto = {leaf.name for leaf in choice.space.leaves if isinstance(leaf.distribution, Auto)}
    while len(first) < SHOWN and (asked := _asked(study, SHOWN - len(first))):
        first += [replace(trial, values={**trial.values, **dict.fromkeys(auto & trial.values.keys(), AUTO)}) for trial in asked]
    return Plan(choice, tuple(first[:SHOWN]), tuple(sorted(study.ask_at)))


def _asked(study: Study, number: int) -> list[Trial]:
    """The next trials; which learning rate a range test will give them, nobody knows yet."""
    while True:
        try:
            return study.ask(number)
        except Unmeasured as wanted:
            study.brackets.take(wanted.test.digest, RangeFinding("", "not tested yet"))


def told(distribution: Distribution) -> str:
    """A distribution as one would write it."""
    match distribution:
        case Uniform(low, high):
            return f"uniform {low:g} .. {high:g}"
        case Log(low, high):
            return f"log {low:g} .. {high:g}"
        case Int(low, high, step, log):
            return f"int {low} .. {high}" + (" log" if log else "") + (f" step {step}" if step > 1 else "")
        case Auto(_, own):
            return "auto: the bracket of a range test" + (f", within {own[0]:g} .. {own[1]:g}" if own else "")
        case Options(options):
            return " | ".join(map(str, options))


def show(made: Plan) -> None:
    """Print the plan for people."""
    space, search = made.choice.space, made.choice.space.base.search
    console = Console(highlight=False)
    for note in made.choice.notes:
        console.print(note)
    size = space.combinations()
    epochs = space.base.training.epochs
    console.print(f"[bold]{made.choice.name}[/]: {made.choice.action.value} a sweep of {search.trials} trials of at most {epochs} epochs")
    console.print(
        f"sampler {search.sampler}, pruner {search.pruner}, metric {search.metric} ({search.metric.direction}), seed {search.seed}"
    )
    console.print(f"{'endlessly many' if size is None else size} distinct configs")
    resources = space.base.resources
    if resources.processes > 1:
        part = " and a part of the model" if resources.sharding == "fsdp" else ""
        console.print(f"each trial is trained by {resources.processes} processes, each with {_cpus(resources.cpus_per_worker)}{part}")
    if search.pruner == "asha":
        console.print(f"pruned at epochs {', '.join(map(str, sorted(made.rungs)))}: the best 1/{search.reduction} go on")
    parameters = Table("parameter", "drawn from", "fixes the shape", box=None, pad_edge=False)
    for leaf in space.leaves:
        parameters.add_row(leaf.name, told(leaf.distribution), "yes" if leaf.structural else "")
    console.print(parameters)
    if any(isinstance(leaf.distribution, Auto) for leaf in space.leaves):
        console.print(
            f"auto: a range test of {SEEDS} models comes before the first trial of each shape and optimizer, "
            "and suggests its first learning rate",
            soft_wrap=True,
        )
    console.print(f"the first {len(made.first)} trials:")
    for trial in made.first:
        console.print("  " + ", ".join(f"{key}={scalar(value)}" for key, value in trial.values.items()), markup=False, soft_wrap=True)


def _cpus(number: int) -> str:
    return f"{number} CPU{'s' if number > 1 else ''}"
