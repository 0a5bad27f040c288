"""Everything random about a trial, keyed by its seed: nothing depends on neighbours, on lanes or on what ran before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
def noise(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Within it torch's default generators follow this trial and epoch (dropout masks); afterwards they are as before."""
    value = key(seed, Stream.NOISE, epoch)
    cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if cuda else []):
        torch.default_generator.manual_seed(value)
        if cuda:
            torch.cuda.manual_seed(value)
        yield
