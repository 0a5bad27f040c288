"""How many distinct configs a space has."""

from __future__ import annotations

from sweeper.config.checks import conflicts
from sweeper.config.distributions import values
from sweeper.config.plan import Plan
from sweeper.config.resolve import Draw, Forbidden
from sweeper.config.schema import Config

MOST = 20_000
"""Combinations that are counted one by one; more take longer than an answer is worth."""


class _Uncountable(Exception):  # noqa: N818 - an answer, not an error
    """Infinitely many, or more than is worth counting."""


def count(plan: Plan) -> int | None:
    """The number of distinct configs; None when a range of fractions can be active, or above 20,000 under conditions.

    Above 20,000 without conditions, combinations whose keys do not go together are counted too.
    """
    if not any(slot.when for slot in plan.slots) and not plan.forbid:
        product = _product(plan)
        if product is None or product > MOST:
            return product
    try:
        return _walk(plan, Draw(plan), 0, [0])
    except _Uncountable:
        return None


def _product(plan: Plan) -> int | None:
    """Without conditions and rules: the product over leaves, summed over sub-trees."""
    total = 1
    for section in plan.sections:
        by_label: dict[str | None, int] = {}
        labels: tuple[object, ...] = (None,)
        for slot in (slot for slot in plan.slots if slot.section == section):
            countable = values(slot.leaf.distribution)
            if countable is None:
                return None
            if slot.key:
                by_label[slot.label] = by_label.get(slot.label, 1) * len(countable)
            else:
                labels = slot.leaf.distribution.ends()
        total *= sum(by_label.get(label if label is None else str(label), 1) for label in labels)
    return total


def _walk(plan: Plan, draw: Draw, index: int, visited: list[int]) -> int:
    """Count what can still be drawn from slot ``index`` on."""
    if index == len(plan.slots):
        visited[0] += 1
        if visited[0] > MOST:
            raise _Uncountable
        try:
            draw.check_forbidden()
        except Forbidden:
            return 0
        return int(not any(True for _ in conflicts(Config.model_validate({**plan.rest, **draw.sections}))))
    slot = plan.slots[index]
    if not draw.active(slot):
        return _walk(plan, draw, index + 1, visited)
    countable = values(slot.leaf.distribution)
    if countable is None:
        raise _Uncountable
    total = 0
    for value in countable:
        branch = draw.copy()
        branch.take(slot, value)
        total += _walk(plan, branch, index + 1, visited)
    return total
