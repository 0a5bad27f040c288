"""Range tests side by side: which combinations of optimizer, weight decay and batch size a space is tested with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeVar

from sweeper.config import keys
from sweeper.config.nearest import hint
from sweeper.config.schema import Config
from sweeper.config.space import Space
from sweeper.errors import InputError, Problem

Value = TypeVar("Value")


@dataclass(frozen=True)
class Wanted:
    """What the options ask for, as it was written: words between commas; None: as the default config has it.

    Attributes:
        optimizers: such as ``adamw,sgd``.
        weight_decays: such as ``0,1e-4,1e-2``.
        batch_sizes: such as ``32,128``.
    """

    optimizers: str | None = None
    weight_decays: str | None = None
    batch_sizes: str | None = None

    def __bool__(self) -> bool:
        return any(option is not None for option in (self.optimizers, self.weight_decays, self.batch_sizes))


@dataclass(frozen=True)
class Variant:
    """One combination.

    Attributes:
        config: what is tested.
        settings: in what it differs from others of the same optimizer.
    """

    config: Config
    settings: dict[str, float]

    @property
    def subject(self) -> str:
        """``sgd, weight_decay 0.0001``."""
        return ", ".join([self.config.optimizer.name, *(f"{key} {value:g}" for key, value in self.settings.items())])


def variants(space: Space, overrides: Sequence[str], wanted: Wanted, rows: int) -> list[Variant]:
    """Every combination, optimizer by optimizer.

    The other keys of an optimizer are the space's where it has that optimizer, else the schema's defaults.

    Args:
        space: whose default config is varied.
        overrides: what it was read with.
        wanted: the options.
        rows: of the training part, which no batch may exceed.

    Raises:
        InputError: every problem of the options.
    """
    problems: list[Problem] = []
    known = list(keys.members("optimizer"))
    names = _values("--optimizers", wanted.optimizers, _word(known), ", ".join(known), problems)
    decays = _values("--weight-decays", wanted.weight_decays, _decay, "numbers from 0 up, such as 0,1e-4,1e-2", problems)
    sizes = _values("--batch-sizes", wanted.batch_sizes, _size(rows), f"whole numbers from 1 to {rows}, such as 32,128", problems)
    if problems:
        raise InputError(problems)
    found = []
    unsaid: list[None] = [None]
    for name, decay, size in product(names or unsaid, decays or unsaid, sizes or unsaid):
        config = space.base if name is None else _with_optimizer(space, overrides, name)
        settings: dict[str, float] = {}
        if decay is not None:
            config = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"weight_decay": decay})})
            settings["weight_decay"] = decay
        if size is not None:
            config = config.model_copy(update={"training": config.training.model_copy(update={"batch_size": size})})
            settings["batch_size"] = size
        found.append(Variant(config, settings))
    return found


def _with_optimizer(space: Space, overrides: Sequence[str], name: str) -> Config:
    if space.base.optimizer.name == name:
        return space.base
    if name in {config.optimizer.name for config in space.corners()}:
        return Space.load(Path(space.source), [*overrides, f"optimizer.name={name}"]).base
    return space.base.model_copy(update={"optimizer": keys.members("optimizer")[name]()})


def _values(option: str, text: str | None, read: Callable[[str], Value], allowed: str, problems: list[Problem]) -> list[Value]:
    """The values of an option, each once."""
    found: list[Value] = []
    for word in [] if text is None else [part.strip() for part in text.split(",")]:
        try:
            found.append(read(word))
        except ValueError as error:
            problems.append(Problem(option, "", f'"{word}"', allowed, str(error)))
    return list(dict.fromkeys(found))


def _word(known: Sequence[str]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in known:
            raise ValueError(hint(word, known))
        return word

    return read


def _decay(word: str) -> float:
    number = _number(float, word)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError
    return number


def _size(rows: int) -> Callable[[str], int]:
    def read(word: str) -> int:
        number = _number(int, word)
        if not 1 <= number <= rows:
            raise ValueError
        return number

    return read


def _number(kind: Callable[[str], Value], word: str) -> Value:
    try:
        return kind(word)
    except ValueError:
        raise ValueError from None  # Python's own words say nothing to whoever wrote the option
