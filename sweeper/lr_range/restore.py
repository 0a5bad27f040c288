"""Remembers everything that training may change, and puts it back bit for bit, in the same objects and the same memory."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset, Sampler

OPEN = (nn.Module, Optimizer, LRScheduler)
"""What is remembered with all its attributes, wherever it is met; other objects are, when they are handed in by name."""

RANDOM = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
"""What draws random numbers."""

Undo = Callable[[], object]


class Snapshot:
    """What some objects hold now, and all that hangs on them.

    Containers are emptied and filled again with the objects that they held, and tensors get back their values in the memory that they
    had. So nobody who holds one of them, an optimizer its parameters for example, notices. It costs one copy of every tensor;
    gradients are not copied, but taken off while others are computed.

    Args:
        owners: modules, optimizers, schedulers, scalers, generators, containers of them, or any object with attributes.
        sources: where data come from. Of them attributes are remembered, such as a counter of epochs, and generators; the data are not
            copied. An iterator cannot be wound back.
        device: where the copies are kept; None: each beside its original.

    Attributes:
        generators: what draws random numbers among all that was found.
    """

    def __init__(self, owners: Iterable[object] = (), sources: Iterable[object] = (), device: torch.device | str | None = None) -> None:
        self.generators: list[Any] = []
        self._undo: list[Undo] = []
        self._gradients: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self._device = device
        todo = list(owners)
        named = {id(one) for one in todo}
        todo += [inner for one in sources for inner in self._source(one)]
        seen: dict[int, object] = {}
        while todo:
            one = todo.pop()
            if id(one) not in seen:
                seen[id(one)] = one  # held, so that no other object gets its id
                todo += self._remember(one, named=id(one) in named)

    def rewind(self) -> None:
        """Put back everything but the gradients, which are None afterwards: what is computed next is not added to those that were."""
        for undo in self._undo:
            undo()
        for tensor, _ in self._gradients:
            tensor.grad = None

    def restore(self) -> None:
        """Put back everything."""
        self.rewind()
        for tensor, gradient in self._gradients:
            tensor.grad = gradient

    def _remember(self, one: object, *, named: bool) -> Iterable[object]:
        """Note how to put back this object alone; gives what hangs on it."""
        match one:
            case torch.Tensor():
                self._undo.append(_values(one, self._device))
                if one.is_leaf:
                    self._gradients.append((one, one.grad))
                return ()
            case dict():
                self._undo.append(_content(one, dict(one), one.update))
                return list(one.values())
            case set():
                self._undo.append(_content(one, set(one), one.update))
                return list(one)
            case list() | deque():
                self._undo.append(_content(one, list(one), one.extend))
                return list(one)
            case tuple():
                return one
            case np.ndarray() if one.flags.writeable:
                self._undo.append(_elements(one))
                return ()
            case torch.Generator() | np.random.Generator() | np.random.RandomState() | random.Random():
                self._undo.append(_state(one))
                self.generators.append(one)
                return ()
            case DataLoader() | Sampler() | Dataset():
                return self._source(one)
        if isinstance(one, OPEN) or (named and hasattr(one, "__dict__")):
            return [vars(one)]
        return ()

    def _source(self, one: object) -> Iterable[object]:
        if isinstance(one, DataLoader):  # its own attributes stay: the processes of persistent workers hang on them
            return (one.generator, one.sampler, one.batch_sampler, one.dataset)
        if isinstance(one, Iterator) or not hasattr(one, "__dict__"):
            return ()
        attributes = vars(one)
        self._undo.append(_content(attributes, dict(attributes), attributes.update))
        return [value for value in attributes.values() if isinstance(value, (DataLoader, Sampler, Dataset, *RANDOM))]


class GlobalRandom:
    """The generators that everybody shares: Python's, NumPy's, torch's on every device that is in use."""

    def __init__(self) -> None:
        python, numpy = random.getstate(), np.random.get_state()
        self._undo: list[Undo] = [lambda: random.setstate(python), lambda: np.random.set_state(numpy), _state(torch.default_generator)]
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            self._undo += [_state(one) for one in torch.cuda.default_generators]
        if torch.backends.mps.is_available():
            mps = torch.mps.get_rng_state()
            self._undo.append(lambda: torch.mps.set_rng_state(mps))

    def restore(self) -> None:
        """Go on where they were."""
        for undo in self._undo:
            undo()


def reseed(value: int, generators: Iterable[Any]) -> None:
    """Start the shared generators and these from a seed.

    Args:
        value: 0 to 2**64 - 1.
        generators: of the kinds in ``RANDOM``.
    """
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)
    for one in generators:
        match one:
            case torch.Generator():
                one.manual_seed(value)
            case np.random.Generator():
                one.bit_generator.state = type(one.bit_generator)(value).state
            case _:
                one.seed(value % 2**32)


@contextmanager
def restoring(*memories: Snapshot | GlobalRandom) -> Iterator[None]:
    """Whatever happens within, these are restored afterwards; also when Ctrl-C is pressed again while they are."""
    try:
        yield
    finally:
        try:
            _restore(memories)
        except BaseException:
            _restore(memories)
            raise


def _restore(memories: Iterable[Snapshot | GlobalRandom]) -> None:
    for memory in memories:
        memory.restore()


def _values(tensor: torch.Tensor, device: torch.device | str | None) -> Undo:
    """A tensor's values, its memory and whether it wants a gradient."""
    memory, wants = tensor.detach(), tensor.requires_grad
    written = _unexpanded(memory)
    copy = written.clone() if device is None else written.to(device, copy=True)

    def undo() -> None:
        if tensor.is_leaf:
            tensor.data = memory
            tensor.requires_grad_(wants)
        written.copy_(copy)

    return undo


def _unexpanded(tensor: torch.Tensor) -> torch.Tensor:
    """A view with every element once: what ``expand`` repeats cannot be written to."""
    if tensor.layout == torch.strided:
        for axis, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
            if stride == 0 and size > 1:
                tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _content(container: Any, kept: object, fill: Callable[[Any], object]) -> Undo:
    """What is in a container, and in which order."""

    def undo() -> None:
        container.clear()
        fill(kept)

    return undo


def _elements(array: np.ndarray[Any, Any]) -> Undo:
    copy = array.copy()

    def undo() -> None:
        array[...] = copy

    return undo


def _state(generator: torch.Generator | np.random.Generator | np.random.RandomState | random.Random) -> Undo:
    """How far a generator is."""
    match generator:
        case torch.Generator():
            at = generator.get_state()
            return lambda: generator.set_state(at)
        case np.random.Generator():
            bits = generator.bit_generator
            inner = bits.state
            return lambda: setattr(bits, "state", inner)
        case np.random.RandomState():
            legacy = generator.get_state()
            return lambda: generator.set_state(legacy)
        case _:
            python = generator.getstate()
            return lambda: generator.setstate(python)
