"""Text that was meant otherwise: numbers with a typo among them, with commas or units, and dates that are not ISO 8601.

One such value makes text of a whole column, and each of its values a category of its own: nothing fails, and little is learnt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST = 0.5
"""Share of a column's different texts that has to look like numbers or dates."""

SHOWN = 3
"""So many of the others are named."""

MEND = "mend these cells, or leave them empty"

LONGEST = 40
"""Characters; what is longer is neither a number nor a date, and would take long to match."""

PLAIN = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
WRITTEN = re.compile(r"\s*[+-]?[$€£]?\s?\d+([ ',.\u00a0\u202f]\d{3})*([.,]\d+)?\s?[%$€£]?\s*")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
DATE = re.compile(r"(\d{4}([./-])\d{1,2}\2\d{1,2}|\d{1,2}([./-])\d{1,2}\3(\d{2}|\d{4}))([T ].*)?")


@dataclass(frozen=True, slots=True)
class Disguise:
    """What a column of texts looks like.

    Attributes:
        found: "most are numbers, but not 'unknown'".
        allowed: what the column could hold.
        hint: how to write it.
    """

    found: str
    allowed: str
    hint: str


def disguise(texts: Sequence[str]) -> Disguise | None:
    """What the different texts of a column look like, if most of them are numbers or dates and some are not written as such.

    Text that is a number in every row is meant so: no CSV file gives such a column.
    """
    short = [text for text in texts if len(text) <= LONGEST]

    def share(pattern: re.Pattern[str]) -> float:
        return sum(pattern.fullmatch(text) is not None for text in short) / len(texts) if texts else 0.0

    if share(PLAIN) > MOST:
        return _odd(texts, "numbers", PLAIN.fullmatch, MEND)
    if share(WRITTEN) > MOST:
        example = next(text for text in short if WRITTEN.fullmatch(text) and not PLAIN.fullmatch(text))
        return Disguise(f"most are numbers with commas or signs, such as {example!r}", "numbers only", "write 45000, 3.5 or 0.07")
    if share(ISO) > MOST:
        return _odd(texts, "dates", ISO.fullmatch, MEND)
    if share(DATE) > MOST:
        example = next(text for text in short if DATE.fullmatch(text) and not ISO.fullmatch(text))
        return Disguise(f"most are dates, such as {example!r}", "ISO 8601 dates", "write 2024-03-31")
    return None


def _odd(texts: Sequence[str], kind: str, fits: Callable[[str], object], hint: str) -> Disguise | None:
    odd = [text for text in texts if len(text) > LONGEST or not fits(text)]
    more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
    return Disguise(f"most are {kind}, but not {', '.join(map(repr, odd[:SHOWN]))}{more}", f"{kind} only", hint) if odd else None
