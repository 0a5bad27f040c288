"""The nearest spelling to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The only one of ``words`` that begins like the word, else the most similar; None when none is similar."""
    known = {name.lower(): name for name in words}
    lower = word.lower()
    longer = [name for name in known if name.startswith(lower)] if len(lower) > 1 else []
    similar = longer if len(longer) == 1 else difflib.get_close_matches(lower, known, n=1, cutoff=0.65)
    return known[similar[0]] if similar else None


def hint(word: str, words: Iterable[str]) -> str:
    """``did you mean "width"?``, or nothing when no known word is similar."""
    found = nearest(word, words)
    return f'did you mean "{found}"?' if found is not None else ""
