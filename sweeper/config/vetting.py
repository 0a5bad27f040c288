"""What can only be judged once a space can be drawn from: its default, its corners, and what its rules leave over."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from sweeper.config import counting
from sweeper.config.checks import conflicts
from sweeper.config.distributions import Auto, Choice, Int, Log, Uniform
from sweeper.config.located import Located
from sweeper.config.plan import Leaf, Plan
from sweeper.config.resolve import Draw, Forbidden, Suggest, resolve
from sweeper.config.schema import Config
from sweeper.errors import InputError
from sweeper.trial import Scalar

_DRAWS = 1000


def vet(located: Located, plan: Plan) -> Config:
    """Check a plan as a whole and return its default config.

    Raises:
        InputError: every problem of the file: those already noted, keys that do not go together, rules that forbid everything, and a
            default that is forbidden.
    """
    configs = [_draw(plan, defaults(plan)), *corners(plan)]
    for config in configs:
        note_conflicts(located, plan, config)
    _grace(located, configs)
    located.check()
    try:
        return resolve(plan, defaults(plan), None).config
    except Forbidden as forbidden:
        _forbidden_default(located, plan, str(forbidden))
        raise InputError(located.problems) from forbidden


def note_conflicts(located: Located, plan: Plan, config: Config) -> None:
    """Note keys that do not go together, unless one of them has a problem already: each conflict is told once."""
    for conflict in conflicts(config):
        involved = [_place(plan, path, config) for path in (conflict.path, *conflict.others)]
        if not any(map(located.faulty, involved)):
            located.problem(involved[0], conflict.found, conflict.allowed, conflict.hint)


def defaults(plan: Plan) -> Suggest:
    """Answers every leaf with its default."""
    by_name = {slot.leaf.name: slot.usual for slot in plan.slots}
    return lambda leaf: by_name[leaf.name]


def corners(plan: Plan) -> Iterator[Config]:
    """Configs that together use every option and every bound; those that a rule forbids are left out."""
    trees = max((len(slot.leaf.distribution.ends()) for slot in plan.slots if not slot.key), default=1)
    leaves = max((len(slot.leaf.distribution.ends()) for slot in plan.slots if slot.key), default=1)
    for corner in range(trees * leaves):

        def suggest(leaf: Leaf, corner: int = corner) -> Scalar:
            ends = leaf.distribution.ends()
            return ends[(corner // trees if "." in leaf.path else corner) % len(ends)]

        try:
            yield _draw(plan, suggest, rules=True)
        except Forbidden:
            continue


def under(plan: Plan, values: Mapping[str, Scalar]) -> Config:
    """The default config with these values in place of defaults; its keys may not go together."""
    usual = defaults(plan)
    return _draw(plan, lambda leaf: values[leaf.name] if leaf.name in values else usual(leaf))


def sample(rng: random.Random) -> Suggest:
    """Answers every leaf with a random value."""

    def suggest(leaf: Leaf) -> Scalar:
        match leaf.distribution:
            case Choice(options):
                return rng.choice(options)
            case Int(low, high, step, _):
                return rng.randrange(low, high + 1, step)
            case Uniform(low, high) | Log(low, high):
                return rng.uniform(low, high)
            case Auto() as auto:
                return rng.uniform(*auto.ends())

    return suggest


def _draw(plan: Plan, suggest: Suggest, *, rules: bool = False) -> Config:
    """A config whose keys may not go together."""
    draw = _drawn(plan, suggest)
    if rules:
        draw.check_forbidden()
    return Config.model_validate({**plan.rest, **draw.sections})


def _drawn(plan: Plan, suggest: Suggest) -> Draw:
    """Everything that is active, whatever the rules say."""
    draw = Draw(plan)
    for slot in plan.slots:
        if draw.active(slot):
            draw.take(slot, suggest(slot.leaf))
    return draw


def _place(plan: Plan, path: tuple[str | int, ...], config: Config) -> tuple[str | int, ...]:
    """Where the key of a config stands in the file, which may be inside a choice of sub-trees."""
    section = str(path[0])
    slot = next((slot for slot in plan.slots if slot.section == section and not slot.key), None)
    if slot is None:
        return path
    labels = slot.leaf.distribution.ends()
    node = getattr(config, section)
    tags = [index for index, label in enumerate(labels) if label in (getattr(node, "name", None), getattr(node, "family", None))]
    return (section, "choice", tags[0], *path[1:]) if tags else (section,)


def _grace(located: Located, configs: list[Config]) -> None:
    """A grace period longer than every trial means that nothing is ever pruned; how many epochs some steps are, only the data says."""
    most = max(config.training.epochs for config in configs)
    grace, path = configs[0].search.grace_epochs, ("search", "grace_epochs")
    steps = max(config.schedule.warmup_steps or 0 for config in configs)
    if grace == "auto" and steps and configs[0].search.pruner != "none" and not located.faulty(("schedule", "warmup_steps")):
        found = f"auto, which cannot know in which epoch a warm-up of {steps} steps ends"
        hint = "write grace_epochs: 4, or give the warm-up as warmup_epochs"
        located.problem(path, found, "the number of the first epoch at which a trial may be pruned", hint)
    if grace == "auto" or configs[0].search.pruner == "none" or grace <= most or any(map(located.faulty, [path, ("training", "epochs")])):
        return
    found = f"grace_epochs {grace} is more than the {most} epochs of a trial: nothing would be pruned"
    located.problem(path, found, f"a whole number from 1 to {most}", "write grace_epochs: auto, or pruner: none")


def _forbidden_default(located: Located, plan: Plan, sentence: str) -> None:
    """The default config is forbidden: say whether anything else is left."""
    count = counting.count(plan)
    if count == 0 or (count is None and not _any_allowed(plan)):
        located.problem(("forbid",), "the rules forbid every combination", "rules that leave something to try", "delete or narrow a rule")
        return
    usual = _drawn(plan, defaults(plan))
    ruled = {condition.path for rule in plan.forbid if usual.matches(rule) for condition in rule}
    names = ", ".join(dict.fromkeys(slot.leaf.path for slot in plan.slots if slot.leaf.path in ruled))
    hint = f"give another default: to one of {names}" if names else "put another sub-tree first in the choice"
    located.problem(("forbid",), f"the default config is {sentence}", "a default config that may be tried", hint)


def _any_allowed(plan: Plan) -> bool:
    rng = random.Random(0)  # noqa: S311 - not for secrets: the same file gets the same verdict
    for _ in range(_DRAWS):
        try:
            resolve(plan, sample(rng), None)
        except Forbidden:
            continue
        return True
    return False
