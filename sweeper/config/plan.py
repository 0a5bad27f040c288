"""What a space consists of once it is read: fixed leaves, and slots to be drawn in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sweeper.config.conditions import Condition, Rule
from sweeper.config.distributions import Auto, Distribution
from sweeper.config.strict_yaml import KeyPath
from sweeper.trial import Scalar


@dataclass(frozen=True)
class Leaf:
    """One thing that a sampler draws.

    Attributes:
        name: parameter name: ``model.width``, ``optimizer``, ``optimizer.adamw.lr``.
        path: config path: ``model.width``, ``optimizer``, ``optimizer.lr``.
        distribution: for a choice of sub-trees a choice over their labels.
        structural: it fixes the shape; a choice of sub-trees always does.
    """

    name: str
    path: str
    distribution: Distribution
    structural: bool


@dataclass(frozen=True)
class Slot:
    """A leaf with all that decides whether and how it is drawn.

    Attributes:
        leaf: what is drawn.
        default: its value in the default config; None of an ``auto`` one that names none: its range test's suggestion.
        fallback: its value when ``when`` does not hold: the schema's default.
        when: conditions that must all hold.
        label: the sub-tree it belongs to, when its section is a choice of sub-trees; else None.
        at: where it stands in the file.
    """

    leaf: Leaf
    default: Scalar
    fallback: Scalar
    when: tuple[Condition, ...]
    label: str | None
    at: KeyPath

    @property
    def usual(self) -> Scalar:
        """Its value in the default config as far as it is known before anything is tested."""
        if self.default is None and isinstance(self.leaf.distribution, Auto):
            return self.leaf.distribution.middle()
        return self.default

    @property
    def section(self) -> str:
        """The top-level key."""
        return self.leaf.path.partition(".")[0]

    @property
    def key(self) -> str:
        """The key inside the section; empty for a choice of sub-trees."""
        return self.leaf.path.partition(".")[2]


@dataclass(frozen=True)
class Section:
    """One searched section.

    Attributes:
        fixed: its leaves that are not drawn, schema defaults included, by the label of the sub-tree (``""`` without a choice).
        fallback: the schema's default for the whole section, used when the ``when`` of its choice does not hold.
    """

    fixed: Mapping[str, Mapping[str, Scalar]]
    fallback: Mapping[str, Scalar]


@dataclass(frozen=True)
class Plan:
    """A space without its file.

    Attributes:
        sections: the searched sections by name.
        slots: everything to draw, in the order of the schema.
        forbid: combinations that are never tried.
        rest: every other top-level key, as data.
    """

    sections: Mapping[str, Section]
    slots: tuple[Slot, ...]
    forbid: tuple[Rule, ...]
    rest: Mapping[str, Any]


def parents(slot: Slot, slots: Iterable[Slot]) -> list[Slot]:
    """The slots that must be drawn before this one: its sub-tree's choice, and what its ``when`` looks at."""
    watched = {condition.path for condition in slot.when}
    sections = {path.partition(".")[0] for path in watched}
    found = []
    for other in slots:
        is_choice = not other.key
        owner = is_choice and other.section == slot.section and other is not slot
        same_branch = other.section != slot.section or other.label == slot.label
        named = (other.leaf.path in watched and same_branch) or (is_choice and other.section in sections)
        if (owner and slot.label is not None) or named:
            found.append(other)
    return found


def order(slots: tuple[Slot, ...]) -> tuple[list[Slot], list[Slot]]:
    """Slots in drawing order: structural ones first, parents before children, otherwise as given.

    Returns:
        The ordered slots, and those that cannot be ordered because they wait for each other.
    """
    waiting = sorted(slots, key=lambda slot: not slot.leaf.structural)
    before = {slot.leaf.name: {p.leaf.name for p in parents(slot, slots)} for slot in slots}
    done: list[Slot] = []
    drawn: set[str] = set()
    while waiting:
        ready = next((slot for slot in waiting if before[slot.leaf.name] <= drawn), None)
        if ready is None:
            return done, waiting
        waiting.remove(ready)
        done.append(ready)
        drawn.add(ready.leaf.name)
    return done, []
