"""YAML 1.2 core scalars: what an unquoted word of the file means.

YAML 1.1, which PyYAML follows, reads ``1e-4`` as text, ``no`` as false, ``010`` as 8 and ``1:30`` as 90.
Here numbers are those of YAML 1.2, ``no`` is text, and a word that two readers would read differently is an error.
Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re

from sweeper.trial import Scalar

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0+([0-9]+)")
_BASE_SIXTY = re.compile(r"[-+]?[0-9]+(:[0-9]{1,2})+(\.[0-9]*)?")
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_MOST_DIGITS = 400  # no float has more; int() itself refuses some thousands with a traceback


class AmbiguousScalarError(ValueError):
    """The word means different things to different readers.

    Attributes:
        found: what is wrong with it.
        hint: how to write what was meant.
    """

    def __init__(self, found: str, hint: str) -> None:
        super().__init__(f"{found}; {hint}")
        self.found = found
        self.hint = hint


def resolve(word: str) -> Scalar:
    """The value of an unquoted word.

    Raises:
        AmbiguousScalarError: leading zeros, base-60 numbers, underscores, dates, and numbers beyond float64.
    """
    if word in _NULLS:
        return None
    if word in _BOOLS:
        return _BOOLS[word]
    if word[0] not in "+-.0123456789":
        return word
    if len(word) > _MOST_DIGITS and FLOAT.fullmatch(word):
        raise AmbiguousScalarError(f"a number of {len(word)} characters", "write at most 17 significant digits")
    if _INT.fullmatch(word):
        return int(word)
    if match := _LEADING_ZERO.fullmatch(word):
        plain = match.group(1)
        raise AmbiguousScalarError(
            f"{word} has a leading zero, which some readers take for base 8", f'write {plain}, or "{word}" if text is meant'
        )
    if FLOAT.fullmatch(word):
        value = float(word)
        if math.isinf(value):
            raise AmbiguousScalarError(f"{word} is beyond the largest number", "write a number of at most 1.7e308")
        return value
    if _SPECIAL.fullmatch(word):
        return float(word.replace(".", "").lower())
    if _OCTAL.fullmatch(word):
        return int(word[2:], 8)
    if _HEX.fullmatch(word):
        return int(word[2:], 16)
    if _DATE.fullmatch(word):
        raise AmbiguousScalarError(f"{word} is a date, and no key takes one", f'write "{word}" if text is meant')
    if _BASE_SIXTY.fullmatch(word):
        raise AmbiguousScalarError(f"{word} is a number in base 60 to some readers", f'write "{word}" if text is meant')
    if _UNDERSCORED.fullmatch(word):
        plain = word.replace("_", "")
        raise AmbiguousScalarError(f"{word} is a number to some readers and text to others", f'write {plain}, or "{word}" if text is meant')
    return word
