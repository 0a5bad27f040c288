"""The nearest spelling to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The most similar of ``words``, or None when none is similar."""
    lower = {known.lower(): known for known in words}
    found = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.65)
    return lower[found[0]] if found else None


def hint(word: str, words: Iterable[str]) -> str:
    """``did you mean "width"?``, or nothing when no known word is similar."""
    found = nearest(word, words)
    return f'did you mean "{found}"?' if found is not None else ""
