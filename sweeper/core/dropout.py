"""Dropout whose masks belong to the trial: the same alone and among others, in every engine."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sweeper.core import seeds

LEVELS = 2**16
"""Probabilities are rounded to 1/65536: sixteen random bits decide about an element."""


class Noise:
    """The random bits of one trial in one epoch, in the order in which they are drawn.

    On the CPU they are NumPy's SFC64, which takes a sixth of the time of torch's own generator; elsewhere the device makes them.

    Args:
        seed: the trial's.
        epoch: 1-based.
        device: where the bits are wanted.
    """

    def __init__(self, seed: int, epoch: int, device: torch.device) -> None:
        self._device = device
        if device.type == "cpu":
            self._bits = np.random.SFC64(np.random.SeedSequence([seed, seeds.Stream.NOISE, epoch]))
        else:
            self._blocks = seeds.Blocks(seeds.key(seed, seeds.Stream.NOISE, epoch), device, _uniform)

    def draw(self, n: int) -> torch.Tensor:
        """``n`` numbers, int16, uniform over all 65,536 values; several draws in turn give what one of ``units`` of each would."""
        if self._device.type == "cpu":
            return torch.from_numpy(self._bits.random_raw(units(n) // 4).view(np.int16))[:n]
        return self._blocks.take(units(n))[:n]


def _uniform(n: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(-LEVELS // 2, LEVELS // 2, (n,), dtype=torch.int16, device=generator.device, generator=generator)


def kept(drawn: torch.Tensor, low: int, factor: float, out: torch.Tensor | None = None) -> torch.Tensor:
    """Float32 masks of the shape of ``drawn``, in ``out`` if it is given: ``factor`` where a drawn number is at least ``low``, else 0."""
    if drawn.device.type != "cpu":
        return torch.mul(drawn >= low, factor, out=out)
    # By NumPy, which compares and converts with vector registers: torch takes three to eight times as long for these types.
    mask = torch.empty(drawn.shape) if out is None else out
    np.multiply(drawn.numpy() >= low, np.float32(factor), out=mask.numpy())
    return mask


def units(n: int) -> int:
    """How many numbers a draw of ``n`` uses up: they come four at a time."""
    return -(-n // 4) * 4


def threshold(p: float) -> int:
    """The number from which on an element is kept."""
    return min(round(p * LEVELS), LEVELS - 1) - LEVELS // 2


def scale(p: float) -> float:
    """What kept elements are multiplied by, so that the expectation stays."""
    return LEVELS / (LEVELS // 2 - threshold(p))


class Dropout(nn.Module):
    """Zeroes elements with probability ``p`` in training and scales the others (Srivastava et al., 2014).

    Args:
        p: probability, 0 to below 1.
        of: the key of the config's ``model`` that ``p`` is the value of.

    Attributes:
        noise: where the mask's bits come from; None: torch's default generator.
        mask: of the next input, already scaled, where somebody else draws it.
    """

    def __init__(self, p: float, of: str = "dropout") -> None:
        super().__init__()
        self.p = p
        self.of = of
        self.noise: Noise | None = None
        self.mask: torch.Tensor | None = None

    @property
    def active(self) -> bool:
        """Whether anything would be dropped now."""
        return self.training and (self.mask is not None or self.p > 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps any shape to the same shape."""
        if not self.training:
            return x
        if self.mask is not None:
            return x * self.mask
        if self.p == 0:
            return x
        if self.noise is None:
            return functional.dropout(x, self.p)
        return x * kept(self.noise.draw(x.numel()).view(x.shape), threshold(self.p), scale(self.p)).to(x.dtype)

    def extra_repr(self) -> str:
        """For people who print a model."""
        return f"p={self.p:g}"


def dropouts(model: nn.Module) -> list[Dropout]:
    """The model's dropout layers, in the order in which it holds them."""
    return [module for module in model.modules() if isinstance(module, Dropout)]
