"""Drawing one config from a plan: only what is active is drawn, what fixes the shape first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sweeper.config import keys
from sweeper.config.checks import conflicts
from sweeper.config.conditions import Condition, Rule, told
from sweeper.config.plan import Leaf, Plan, Slot
from sweeper.config.schema import Config, Node
from sweeper.trial import Scalar

Suggest: TypeAlias = Callable[[Leaf], Scalar]


class Forbidden(Exception):  # noqa: N818 - not an error: the sampler draws again
    """The drawn combination is never tried; the text says which rule says so."""


@dataclass(frozen=True)
class Resolved:
    """One config drawn from a space.

    Attributes:
        values: what was drawn, by parameter name.
        config: the complete config.
        shape: signature of everything that fixes tensor sizes or program structure.
    """

    values: dict[str, Scalar]
    config: Config
    shape: str


class Draw:
    """The sections of a config while they are being drawn."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        chosen = {slot.section for slot in plan.slots if not slot.key}
        self.values: dict[str, Scalar] = {}
        self.sections: dict[str, dict[str, Scalar]] = {
            name: dict(section.fixed[""]) for name, section in plan.sections.items() if name not in chosen
        }
        self._labels: dict[str, str | None] = dict.fromkeys(self.sections)

    def copy(self) -> Draw:
        """An independent copy, for trying several values."""
        other = Draw(self._plan)
        other.values = dict(self.values)
        other.sections = {name: dict(section) for name, section in self.sections.items()}
        other._labels = dict(self._labels)
        return other

    def active(self, slot: Slot) -> bool:
        """Whether the slot is to be drawn; a conditional one that is not takes its fallback here."""
        if slot.label is not None and self._labels.get(slot.section) != slot.label:
            return False
        if all(self._holds(condition) for condition in slot.when):
            return True
        if "." in slot.key:  # a free name has no default here: it is left out
            self.sections[slot.section].pop(slot.key, None)
        elif slot.key:
            self.sections[slot.section][slot.key] = slot.fallback
        else:
            self.sections[slot.section] = dict(self._plan.sections[slot.section].fallback)
            self._labels[slot.section] = None
        return False

    def take(self, slot: Slot, value: Scalar) -> None:
        """Put a drawn value where it belongs.

        Raises:
            ValueError: the value is outside the distribution.
        """
        if not slot.leaf.distribution.contains(value):
            raise ValueError(f"{slot.leaf.name}: {value!r} was drawn, which is outside {slot.leaf.distribution}")
        self.values[slot.leaf.name] = value
        if slot.key:
            self.sections[slot.section][slot.key] = value
        else:
            label = str(value)
            self._labels[slot.section] = label
            self.sections[slot.section] = dict(self._plan.sections[slot.section].fixed[label])

    def check_forbidden(self) -> None:
        """Refuse what matches a rule; a rule on a key that is not drawn yet does not match.

        Raises:
            Forbidden: a rule matches.
        """
        for rule in self._plan.forbid:
            if self.matches(rule):
                raise Forbidden(f"forbidden: {told(rule)}")

    def matches(self, rule: Rule) -> bool:
        """Whether all conditions of the rule hold."""
        return all(self._holds(condition) for condition in rule)

    def _holds(self, condition: Condition) -> bool:
        section, _, key = condition.path.partition(".")
        values = self.sections.get(section, {})
        return key in values and condition.holds(values[key])


def structure(plan: Plan, suggest: Suggest) -> Draw:
    """Draw the slots that fix the shape.

    Raises:
        Forbidden: these values alone are forbidden.
    """
    draw = Draw(plan)
    for slot in plan.slots:
        if slot.leaf.structural and draw.active(slot):
            draw.take(slot, suggest(slot.leaf))
    draw.check_forbidden()
    return draw


def resolve(plan: Plan, suggest: Suggest, seed: int | None) -> Resolved:
    """Draw everything; ``seed`` None keeps the file's ``training.seed``.

    Raises:
        Forbidden: the combination is forbidden, or its keys do not go together.
    """
    draw = structure(plan, suggest)
    for slot in plan.slots:
        if not slot.leaf.structural and draw.active(slot):
            draw.take(slot, suggest(slot.leaf))
    draw.check_forbidden()
    if seed is not None:
        draw.sections["training"]["seed"] = seed
    config = Config.model_validate({**plan.rest, **draw.sections})
    for conflict in conflicts(config):
        raise Forbidden(f"{'.'.join(map(str, conflict.path))}: {conflict.found}")
    return Resolved(draw.values, config, shape(config))


def shape(config: Config) -> str:
    """Short signature of every leaf of the searched sections that is not per lane."""
    fixed: dict[str, Any] = {}
    for section in keys.SEARCHED:
        node: Node = getattr(config, section)
        model = type(node)
        for name in model.model_fields:
            if not keys.key(model, name).per_lane:
                fixed[f"{section}.{name}"] = getattr(node, name)
    return digest(fixed)[:12]


def digest(tree: Mapping[str, Any]) -> str:
    """The sha256 of plain data, as hex; independent of the order of keys."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()).hexdigest()
