"""What a check says: pass, warn or fail, a sentence with what was measured, and a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended; a warning lets a sweep start, a failure does not."""

    PASS = "pass"  # noqa: S105 - a verdict
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the table.

    Attributes:
        check: what was looked at, in two or three words.
        status: how it ended.
        sentence: what was measured.
        remedy: what to do about it; empty where there is nothing to do.
        key: the config key that the remedy is about, such as ``data.split``; empty when none is.
    """

    check: str
    status: Status
    sentence: str
    remedy: str = ""
    key: str = ""


def passed(check: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(check, Status.PASS, sentence)


def warned(check: str, sentence: str, remedy: str, key: str = "") -> Finding:
    """Worth knowing; training works."""
    return Finding(check, Status.WARN, sentence, remedy, key)


def failed(check: str, sentence: str, remedy: str, key: str = "") -> Finding:
    """A bug, or numbers that would mislead."""
    return Finding(check, Status.FAIL, sentence, remedy, key)


def worst(findings: Iterable[Finding]) -> Status:
    """The gravest status of all; ``pass`` when there are none."""
    found = {finding.status for finding in findings}
    return next((status for status in (Status.FAIL, Status.WARN) if status in found), Status.PASS)


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
