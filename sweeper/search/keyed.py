"""Random search without a generator: every value is a hash of what it is for.

A value depends on the search seed, the trial's place and the parameter's *name*, and on nothing else: not on the number of
workers, not on the order of asking, not on which other parameters the space has. SHA-256 and IEEE arithmetic give the same
numbers on every platform and Python version; floats are rounded to six significant digits, which hides the last-bit
differences between C libraries in ``exp`` and ``log`` and keeps configs readable.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TypeAlias

from sweeper.config.distributions import Choice, Int, Log, Uniform
from sweeper.trial import Scalar

Drawable: TypeAlias = Uniform | Log | Int | Choice
"""What is drawn from as it stands; of ``auto`` that is the bracket."""

_SEED_BITS = 31  # fits the seeds of NumPy, torch and Optuna, also as a signed 32-bit integer


def unit(*key: int | str) -> float:
    """A uniform number in [0, 1) with 53 random bits, fixed by ``key``."""
    return (_digest(key) >> (256 - 53)) / (1 << 53)


def seed(*key: int | str) -> int:
    """A non-negative seed below 2**31, fixed by ``key``."""
    return _digest(key) >> (256 - _SEED_BITS)


def draw(distribution: Drawable, u: float) -> Scalar:
    """The value of ``distribution`` at the uniform number ``u`` in [0, 1)."""
    match distribution:
        case Uniform(low, high):
            return rounded(low + (high - low) * u, low, high)
        case Log(low, high):
            return rounded(math.exp(math.log(low) + (math.log(high) - math.log(low)) * u), low, high)
        case Int(low, high, _, True):
            # Half a unit is added on both sides, or the bounds themselves would be drawn half as often as their neighbours.
            start, end = math.log(low - 0.5), math.log(high + 0.5)
            return min(max(round(math.exp(start + (end - start) * u)), low), high)
        case Int(low, high, step):
            return low + step * int(u * ((high - low) // step + 1))
        case Choice(options):
            return options[int(u * len(options))]


def _digest(key: tuple[int | str, ...]) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(key).encode()).digest(), "big")


def rounded(value: float, low: float, high: float) -> float:
    """Six significant digits of a value, between the bounds."""
    return min(max(float(f"{value:.6g}"), float(low)), float(high))
