"""Numbers and times as people read them."""

from __future__ import annotations

import math
import re

from sweeper.trial import Scalar


def number(value: float | None) -> str:
    """Four significant digits, without an exponent where a plain number is as short; a dash for None."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"


def scalar(value: Scalar) -> str:
    """A sampled value: floats rounded for reading, everything else as it is written in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value) if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """``0:07``, ``12:30``, ``3:05:00``."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def told(error: BaseException) -> str:
    """What lies at the bottom of the error, in one line, without credentials, at most 300 characters."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            error = seen  # "connection refused" says more than the five wrappers around it
        seen = seen.__cause__ or seen.__context__
    return unsigned((str(error).strip() or type(error).__name__).splitlines()[0])[:300]


def unsigned(text: str) -> str:
    """The text with the user and password of every URL in it replaced."""
    return re.sub(r"//[^/@\s]+@", "//***@", text)
