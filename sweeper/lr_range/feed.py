"""Batches for as long as they are asked for, on the model's device."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch

from sweeper.errors import InputError
from sweeper.lr_range.ladder import SOURCE


@runtime_checkable
class Movable(Protocol):
    """What brings itself to a device: tensors, packed sequences, and the batches of several libraries."""

    def to(self, device: torch.device, /) -> Any:
        """The same on this device."""


def endless(data: Iterable[Any], seed: int, wanted: int) -> Generator[Any]:
    """The batches of ``data``, over and over.

    Args:
        data: is iterated anew when it ends; a list or a tuple in a new random order every time.
        seed: of that order.
        wanted: how many batches the whole test takes, for the error.

    Raises:
        InputError: it ended and cannot be iterated again, or there was no batch at all.
    """
    order = random.Random(seed)  # noqa: S311 - no secret
    given = 0
    while True:
        before = given
        for batch in order.sample(data, len(data)) if isinstance(data, (list, tuple)) else data:
            given += 1
            yield batch
        if given == before:
            raise _ended(data, given, wanted)


def moved(batch: Any, device: torch.device) -> Any:
    """The batch with everything in it on the device: in mappings, sequences and data classes, however deep; what cannot be moved stays."""
    match batch:
        case Movable():
            return batch.to(device)
        case Mapping():
            return {key: moved(value, device) for key, value in batch.items()}
        case tuple() if hasattr(batch, "_fields"):  # a named one takes its values one by one
            return type(batch)(*(moved(value, device) for value in batch))
        case list() | tuple():
            return type(batch)(moved(value, device) for value in batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        inside = {field.name: moved(getattr(batch, field.name), device) for field in dataclasses.fields(batch) if field.init}
        return dataclasses.replace(batch, **inside)
    return batch


def pair(batch: Any) -> tuple[Any, Any]:
    """``(input, target)`` of a batch.

    Raises:
        InputError: it is something else, which only a ``step_fn`` can know what to do with.
    """
    if isinstance(batch, Sequence) and not isinstance(batch, str) and len(batch) == 2:
        return batch[0], batch[1]
    raise InputError.of(
        SOURCE,
        "data",
        f"a batch that is {_described(batch)}",
        "pairs (input, target), for loss_fn(model(input), target)",
        "pass step_fn=lambda model, batch: ... instead of loss_fn; it returns the loss",
    )


def _described(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a {type(batch).__name__} with the keys {', '.join(map(str, batch))}"
    return f"a {type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, (list, tuple)) else "")


def _ended(data: Iterable[Any], given: int, wanted: int) -> InputError:
    if not given:
        return InputError.of(
            SOURCE, "data", f"{type(data).__name__} without a batch", "a DataLoader, a list of batches, an iterable of them"
        )
    return InputError.of(
        SOURCE,
        "data",
        f"{type(data).__name__} that ended after {given} of {wanted} batches and has none when it is iterated again",
        "a DataLoader, a list of batches, an iterable that can be iterated again, an iterator that does not end",
        f"pass the loader itself, not iter(loader), or list(...) of them; or take no more than {given}: fewer steps, repeats, accumulate",
    )
