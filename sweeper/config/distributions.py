"""What a leaf may be drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from sweeper.trial import Scalar


@dataclass(frozen=True)
class Uniform:
    """A number between two bounds, both inclusive, every value equally likely."""

    low: float
    high: float

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        return _number(value) and self.low <= float(value) <= self.high  # type: ignore[arg-type]

    def middle(self) -> float:
        """The value in the middle."""
        return self.low + (self.high - self.low) / 2

    def ends(self) -> tuple[float, ...]:
        """The extreme values."""
        return (self.low, self.high)

    def tree(self) -> dict[str, Any]:
        """As it is written in a space."""
        return {"uniform": [self.low, self.high]}


@dataclass(frozen=True)
class Log:
    """A number between two positive bounds, both inclusive, every order of magnitude equally likely."""

    low: float
    high: float

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        return _number(value) and self.low <= float(value) <= self.high  # type: ignore[arg-type]

    def middle(self) -> float:
        """The geometric mean of the bounds."""
        return min(max(math.exp((math.log(self.low) + math.log(self.high)) / 2), self.low), self.high)

    def ends(self) -> tuple[float, float]:
        """The extreme values."""
        return (self.low, self.high)

    def tree(self) -> dict[str, Any]:
        """As it is written in a space."""
        return {"log": [self.low, self.high]}


@dataclass(frozen=True)
class Int:
    """A whole number between two bounds, both inclusive; every ``step``-th from ``low``, or evenly in its logarithm."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        return isinstance(value, int) and not isinstance(value, bool) and value in range(self.low, self.high + 1, self.step)

    def middle(self) -> int:
        """The drawable value nearest to the (geometric) middle."""
        if self.log:
            return min(max(round(math.sqrt(self.low * self.high)), self.low), self.high)
        values = range(self.low, self.high + 1, self.step)
        return values[(len(values) - 1) // 2]

    def ends(self) -> tuple[int, ...]:
        """The extreme values."""
        return (self.low, range(self.low, self.high + 1, self.step)[-1])

    def tree(self) -> dict[str, Any]:
        """As it is written in a space."""
        tree: dict[str, Any] = {"int": [self.low, self.high]}
        if self.log:
            tree["log"] = True
        if self.step != 1:
            tree["step"] = self.step
        return tree


@dataclass(frozen=True)
class Choice:
    """One of several values, every one equally likely."""

    options: tuple[Scalar, ...]

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn; ``true`` is not 1."""
        return any(type(value) is type(option) and value == option for option in self.options)

    def middle(self) -> Scalar:
        """The first option: there is no middle."""
        return self.options[0]

    def ends(self) -> tuple[Scalar, ...]:
        """Every option."""
        return self.options

    def tree(self) -> dict[str, Any]:
        """As it is written in a space."""
        return {"choice": list(self.options)}


@dataclass(frozen=True)
class Auto:
    """A learning rate from the bracket that a range test finds, before the trial is drawn, for its shape and optimizer.

    Attributes:
        standard: the schema's default, which stands for it where nothing has been tested.
        own: low and high that the user allows; the bracket is cut to them. None: any.
    """

    standard: float
    own: tuple[float, float] | None = None

    def contains(self, value: Scalar) -> bool:
        """Whether some bracket could give the value."""
        if not _number(value) or not math.isfinite(value) or value <= 0:  # type: ignore[arg-type, operator]
            return False
        return self.own is None or self.own[0] <= float(value) <= self.own[1]  # type: ignore[arg-type]

    def middle(self) -> float:
        """The schema's default if the user allows it, else the middle of what is allowed."""
        return self.standard if self.contains(self.standard) else Log(*self.ends()).middle()

    def ends(self) -> tuple[float, float]:
        """The extreme values where no bracket is found: the user's, else a decade to each side of the schema's default."""
        return self.own or (self.standard / 10, self.standard * 10)

    def tree(self) -> dict[str, Any]:
        """As it is written in a space; alone it is the word ``auto``."""
        return {"auto": None if self.own is None else list(self.own)}


Distribution: TypeAlias = Uniform | Log | Int | Choice | Auto


def values(distribution: Distribution) -> tuple[Scalar, ...] | range | None:
    """All values that can be drawn, or None when they cannot be counted."""
    match distribution:
        case Choice(options):
            return options
        case Int(low, high, step, _):
            return range(low, high + 1, step)
        case _:
            return None


def _number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
