"""Which sweep a command means: a new one, an open one to resume, or a finished one to show or extend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sweeper.config.space import Space
from sweeper.errors import InputError, Problem
from sweeper.ledger.records import SweepRecord, SweepState

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
ACTIVE = (SweepState.OPEN, SweepState.CANCELLING)


class Action(StrEnum):
    """What ``sweeper sweep`` will do with the name."""

    CREATE = "create"
    RESUME = "resume"
    EXTEND = "extend"
    SHOW = "show"


@dataclass(frozen=True)
class Choice:
    """A name, what to do with it, and sentences for the user.

    Attributes:
        space: the space to search: the stored one where an open sweep is resumed by its name.
    """

    name: str
    action: Action
    space: Space
    notes: tuple[str, ...] = ()


def choose(space: Space, records: Sequence[SweepRecord], *, name: str | None, fresh: bool) -> Choice:
    """Apply the rules of ``sweeper sweep``, which is idempotent like a make target.

    An open sweep of the same space is resumed; a finished one is shown again, or extended when more trials are asked for. After the space
    changed, a finished sweep stays and the next name of the family (``mlp-2``) starts; an open one is never touched.

    Raises:
        InputError: the name is no name, or an open sweep of it has another space.
    """
    family = name or space.name
    if not NAME.fullmatch(family):
        raise InputError.of("--name", "", f"{family!r} is not a name", "lower-case letters, digits, . _ - (at most 63)", "--name mlp-wide")
    exact = [record for record in records if record.name == name]
    members = exact or [record for record in records if _belongs(record.name, family)]
    if fresh or not members:
        return Choice(_free(family, records), Action.CREATE, space)
    same = [record for record in members if record.fingerprint == space.fingerprint()]
    if same:
        return _again(same[-1], space)
    latest = members[-1]
    changes = tuple(differences(Space.parse(latest.space, latest.name).identity(), space.identity()))
    if latest.state not in ACTIVE:
        fresh_name = _free(family, records)
        notes = (f"the space changed since {latest.name}, which stays as it is; this is {fresh_name}", *changes)
        return Choice(fresh_name, Action.CREATE, space, notes)
    if name == latest.name:
        notes = (f"resuming {name} with the space it was started with; the file differs and is not used:", *changes)
        return Choice(name, Action.RESUME, Space.parse(latest.space, f"the ledger's space of {name}"), notes)
    raise InputError(
        [
            Problem(
                space.source,
                change.split(":", 1)[0],
                f"{change}: the open sweep {latest.name} was started with another space",
                f"the same space (resumes {latest.name})",
                f"or --fresh to start a new sweep; {latest.name} stays resumable by --name {latest.name}",
            )
            for change in changes
        ]
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line per key that differs between two identities: ``model.width: 64 -> 128``."""

    def shown(tree: Mapping[str, Any], key: str) -> str:
        return json.dumps(tree[key], default=str) if key in tree else "(absent)"

    keys = sorted(old.keys() | new.keys())
    return [f"{key}: {shown(old, key)} -> {shown(new, key)}" for key in keys if shown(old, key) != shown(new, key)]


def _again(record: SweepRecord, space: Space) -> Choice:
    asked = space.base.search.trials
    more = asked > record.target
    notes = (f"{record.name} has {record.target} trials, more than the {asked} asked for",) if asked < record.target else ()
    if record.state in ACTIVE:
        return Choice(record.name, Action.RESUME, space, notes)
    if record.state is SweepState.BROKEN:
        return Choice(record.name, Action.RESUME, space, (f"{record.name} was stopped as broken; it goes on",))
    if record.state is SweepState.COMPLETE and more:
        return Choice(
            record.name, Action.EXTEND, space, (f"{record.name} grows from {record.target} to {space.base.search.trials} trials",)
        )
    return Choice(record.name, Action.SHOW, space, notes)


def _belongs(name: str, family: str) -> bool:
    return re.fullmatch(re.escape(family) + r"(-\d+)?", name) is not None


def _free(family: str, records: Sequence[SweepRecord]) -> str:
    taken = {record.name for record in records}
    if family not in taken:
        return family
    number = 2
    while f"{family}-{number}" in taken:
        number += 1
    return f"{family}-{number}"
