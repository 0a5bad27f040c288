"""The random numbers of augmentation: they belong to the trial and the epoch, and do not depend on how the epoch is cut into pieces."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
import torch

from sweeper.core.seeds import Blocks, Stream


class Use(IntEnum):
    """What numbers are for: each use has a stream of its own, so that one change does not move the numbers of another."""

    NOISE = 0
    SCALING = 1
    TIME_WARP = 2
    CROP = 3
    AFFINE = 4
    FLIP = 5
    COLOR = 6
    ERASE = 7
    TOKEN_DELETE = 8
    TOKEN_INSERT = 9
    TOKEN_SWAP = 10
    TOKEN_MASK = 11
    MIX = 12
    SHARE = 13
    BOX = 14
    TOKEN_SYNONYM = 15


class Draws:
    """The numbers of one trial in one epoch, on the host by NumPy's SFC64.

    Numbers are drawn element by element: several draws in turn give what one of all rows gives.

    Args:
        seed: the trial's.
        epoch: 1-based.
        device: where the numbers are wanted.
    """

    def __init__(self, seed: int, epoch: int, device: torch.device) -> None:
        self._key = (seed, Stream.AUGMENT, epoch)
        self._device = device
        self._generators: dict[Use, np.random.Generator] = {}
        self._on_device: dict[Use, Blocks] = {}

    def host(self, use: Use) -> np.random.Generator:
        """The generator of this use."""
        if use not in self._generators:
            self._generators[use] = np.random.Generator(np.random.SFC64(np.random.SeedSequence([*self._key, use])))
        return self._generators[use]

    def uniform(self, use: Use, *shape: int) -> torch.Tensor:
        """Float32 numbers in [0, 1)."""
        return torch.from_numpy(self.host(use).random(shape, dtype=np.float32)).to(self._device)

    def normal(self, use: Use, *shape: int) -> torch.Tensor:
        """Standard normal float32 numbers; as many as the rows have elements, so away from the CPU the device draws them itself."""
        if self._device.type == "cpu":
            return torch.from_numpy(self.host(use).standard_normal(shape, dtype=np.float32))
        if use not in self._on_device:
            seed = int(np.random.SeedSequence([*self._key, use]).generate_state(1, np.uint64)[0])
            self._on_device[use] = Blocks(seed, self._device, _normal)
        return self._on_device[use].take(math.prod(shape)).view(shape)


def _normal(n: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, generator=generator, device=generator.device)
