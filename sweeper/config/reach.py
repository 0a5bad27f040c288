"""Parameters that no config of a space ever draws, and rules that forbid none: dead lines that look like a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sweeper.config.conditions import Condition, Rule
from sweeper.config.plan import Plan, Slot, parents
from sweeper.config.resolve import Draw, Forbidden
from sweeper.trial import Scalar

MOST = 20_000
"""Combinations of the keys that decide about a parameter or a rule; one that needs more is taken for reachable."""

NUDGE = 1e-9
"""Relative distance to the bound of a comparison at which the value just below and just above it is tried."""


def unreachable(plan: Plan) -> list[str]:
    """The names of the parameters whose sub-tree or ``when`` no combination of the other parameters allows."""
    return [slot.leaf.name for slot in plan.slots if (slot.when or slot.label is not None or not slot.key) and not _reachable(plan, slot)]


def idle(plan: Plan) -> list[Rule]:
    """The rules of ``forbid`` that no combination matches, whatever the other rules say: mostly a typo in a value."""
    return [rule for rule in plan.forbid if not _matched(plan, rule)]


def _reachable(plan: Plan, slot: Slot) -> bool:
    return _some(plan, _ancestors(plan, [slot]), lambda draw: draw.active(slot) and _allowed(draw))


def _matched(plan: Plan, rule: Rule) -> bool:
    paths = {condition.path for condition in rule}
    sections = {path.partition(".")[0] for path in paths}
    looked_at = [slot for slot in plan.slots if slot.leaf.path in paths or (not slot.key and slot.section in sections)]
    return _some(plan, {slot.leaf.name for slot in looked_at} | _ancestors(plan, looked_at), lambda draw: draw.matches(rule))


def _some(plan: Plan, needed: set[str], wanted: Callable[[Draw], bool]) -> bool:
    """Whether some combination of the slots of these names is wanted; all are walked through in drawing order."""
    before = [slot for slot in plan.slots if slot.leaf.name in needed]
    budget = [MOST]

    def walk(draw: Draw, index: int) -> bool:
        budget[0] -= 1
        if budget[0] < 0:
            return True
        if index == len(before):
            return wanted(draw)
        if not draw.active(before[index]):
            return walk(draw, index + 1)
        for value in _values(plan, before[index]):
            branch = draw.copy()
            branch.take(before[index], value)
            if walk(branch, index + 1):
                return True
        return False

    return walk(Draw(plan), 0)


def _ancestors(plan: Plan, slots: Iterable[Slot]) -> set[str]:
    """The names of everything that these slots depend on, directly or through other slots."""
    found: set[str] = set()
    waiting = list(slots)
    while waiting:
        for other in parents(waiting.pop(), plan.slots):
            if other.leaf.name not in found:
                found.add(other.leaf.name)
                waiting.append(other)
    return found


def _allowed(draw: Draw) -> bool:
    try:
        draw.check_forbidden()
    except Forbidden:
        return False
    return True


def _values(plan: Plan, slot: Slot) -> Iterator[Scalar]:
    """Every option of a choice; of a range its ends, its default, and the values at which a condition changes its mind."""
    distribution = slot.leaf.distribution
    tried: set[Scalar] = set()
    for value in (slot.usual, *distribution.ends(), *_turning_points(plan, slot)):
        if value not in tried and distribution.contains(value):
            tried.add(value)
            yield value


def _turning_points(plan: Plan, slot: Slot) -> Iterator[Scalar]:
    """Values on both sides of every bound that a condition or a rule compares this key with."""
    conditions: list[Condition] = [c for other in plan.slots for c in other.when] + [c for rule in plan.forbid for c in rule]
    for condition in conditions:
        if condition.path == slot.leaf.path:
            for bound in (*condition.allowed, *(bound for _, bound in condition.comparisons)):
                yield bound
                if isinstance(bound, int) and not isinstance(bound, bool):
                    yield from (bound - 1, bound + 1)
                if isinstance(bound, int | float) and not isinstance(bound, bool):
                    yield from (bound - abs(bound) * NUDGE, bound + abs(bound) * NUDGE)
