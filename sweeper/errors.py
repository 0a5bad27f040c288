"""Everything that may go wrong in a way that has a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in somebody's input, with all that is needed to mend it.

    Attributes:
        source: the file (or the option, as in ``--set``) that holds the mistake.
        path: the dotted key, such as ``model.width``; empty when the whole file is meant.
        found: what stands there.
        allowed: what may stand there.
        hint: how to write it.
        line: 1-based; None when there is no position.
        column: 1-based; None when there is no position.
    """

    source: str
    path: str
    found: str
    allowed: str = ""
    hint: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"
        parts = [where, self.path, self.found, self.allowed and f"allowed: {self.allowed}", self.hint]
        return "  ".join(part for part in parts if part)


class SweeperError(Exception):
    """Base of all errors that are told in a sentence, without a traceback."""

    exit_code = 4


class InputError(SweeperError):
    """Bad input: every problem of it at once. Nothing has been created."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, source: str, path: str, found: str, allowed: str = "", hint: str = "") -> InputError:
        """An error with a single problem that has no position."""
        return cls([Problem(source, path, found, allowed, hint)])


class InfrastructureError(SweeperError):
    """A store, a cluster or a disk failed; the sweep stays resumable."""


class StaleWriterError(SweeperError):
    """A writer that no longer owns the sweep or the trial tried to write to the ledger."""


class SweepHeldError(SweeperError):
    """Another live process is driving this sweep."""

    exit_code = 2
