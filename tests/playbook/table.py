"""The tables of docs/playbook.md, read: a row per technique, and what its cells say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KINDS = ("param", "metric", "tag", "artifact", "fact")
CLAUSE = re.compile(rf"(no )?({'|'.join(KINDS)})s? ((?:`[^`]+`(?:, | and )?)+)")


@dataclass(frozen=True)
class Clause:
    """What a trace says: that there are, or are not, things of these names; ``*`` stands for anything, ``name: value`` for both."""

    absent: bool
    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One technique."""

    name: str
    key: str
    default: str
    range: str
    test: str
    trace: str

    @property
    def settings(self) -> tuple[str, ...]:
        """The ``key: value`` pairs that switch it on, all together; the first is the technique's own."""
        return tuple(text for text in re.findall(r"`([^`]+)`", self.key) if re.match(r"([a-z_]+(\.[a-z_0-9]+)+|task): ", text))

    @property
    def around(self) -> tuple[str, ...]:
        """Those of them that only make room for the technique: the data, and the model that takes them."""
        own, *others = self.settings
        if section(own) in ("task", "model") or own.startswith("data.source"):
            return ()
        return tuple(one for one in others if section(one) in ("data", "task", "model"))

    @property
    def clauses(self) -> list[Clause]:
        """What the trace says."""
        return [Clause(bool(no), kind, tuple(re.findall(r"`([^`]+)`", names))) for no, kind, names in CLAUSE.findall(self.trace)]


def section(setting: str) -> str:
    """``model`` of ``model.width: 8``."""
    return re.split(r"[.:]", setting)[0]


def rows() -> list[Row]:
    """Every row of every table."""
    lines = (ROOT / "docs" / "playbook.md").read_text().splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
    return [Row(*row) for row in cells if row[0] != "technique" and set(row[0]) != {"-"}]


def held(names: Mapping[str, Any], wanted: str) -> bool:
    """Whether something of this name, or this name and value, is there."""
    name, _, value = wanted.partition(": ")
    beginning = re.compile(".*".join(map(re.escape, value.split("*"))))
    return any(fnmatchcase(key, name) and beginning.match(str(names[key])) for key in names)
