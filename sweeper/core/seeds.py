"""Everything random about a trial, keyed by its seed: nothing depends on neighbours, on lanes or on what ran before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What the random numbers are for; streams of one seed are independent."""

    INIT = 0
    ORDER = 1
    NOISE = 2
    AUGMENT = 3


def key(seed: int, stream: Stream, epoch: int = 0) -> int:
    """A 64-bit seed of this stream and epoch, well mixed (``numpy.random.SeedSequence``)."""
    return int(np.random.SeedSequence([seed, stream, epoch]).generate_state(1, np.uint64)[0])


def generator(seed: int, stream: Stream, epoch: int = 0) -> torch.Generator:
    """A generator on the CPU, so that weights and data order are the same on every device."""
    return torch.Generator().manual_seed(key(seed, stream, epoch))


@contextmanager
def sown(value: int, device: torch.device) -> Iterator[None]:
    """Within it the default generators begin at this seed (see ``sow``); afterwards they are as before."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            sow(value, device)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


def sow(value: int, device: torch.device) -> None:
    """Start the generators that code draws from when it names none: Python's, NumPy's and torch's, on the CPU and on ``device``."""
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


def noise(seed: int, epoch: int, device: torch.device) -> AbstractContextManager[None]:
    """Within it the default generators follow this trial and epoch: a custom model's dropout, and whatever else it draws."""
    return sown(key(seed, Stream.NOISE, epoch), device)


class Blocks:
    """A device's own random numbers, made in blocks of one size and handed out piece by piece.

    A generator on a GPU, asked twice, does not give what it gives when asked once for both together; so pieces would depend on how an
    engine cuts the epoch.

    Args:
        value: the generator's seed.
        device: where the numbers are made.
        make: a block of numbers [n] by the generator.
    """

    SIZE = 2**18

    def __init__(self, value: int, device: torch.device, make: Callable[[int, torch.Generator], torch.Tensor]) -> None:
        self._generator = torch.Generator(device).manual_seed(value)
        self._make = make
        self._left = make(0, self._generator)

    def take(self, n: int) -> torch.Tensor:
        """The next ``n``."""
        blocks = -(-(n - len(self._left)) // self.SIZE)
        if blocks > 0:
            self._left = torch.cat([self._left, *(self._make(self.SIZE, self._generator) for _ in range(blocks))])
        taken, self._left = self._left[:n], self._left[n:]
        return taken
