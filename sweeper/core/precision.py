"""Numeric precision as one object with few verbs: the step is the same in fp32, bf16 and fp16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import optim

from sweeper.core.optim import lean

Name = Literal["fp32", "bf16", "fp16"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose(asked: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> tuple[Name, str]:
    """The precision to use on this device and the sentence that says why."""
    if asked != "auto":
        return asked, f"{asked}: the config says so"
    if device.type != "cuda":
        return "fp32", "fp32: on a CPU bf16 autocast is slower than fp32 for models that train there, and its results are less exact"
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16", "bf16: this GPU has it in hardware, and it needs no loss scaling"
    return "fp16", "fp16 with loss scaling: this GPU has no bf16 in hardware"


class Precision:
    """Autocast, backward, clipping and step in one precision; master weights and optimizer state are fp32.

    Args:
        asked: the config's ``training.precision``.
        device: where the model is.

    Attributes:
        name: what is used.
        reason: a sentence that says why.
        scaled: whether steps may be skipped because a scaled gradient overflowed (fp16 only).
        skipped: how many were, as a tensor on the device.
    """

    def __init__(self, asked: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> None:
        self.name, self.reason = choose(asked, device)
        self.scaled = self.name == "fp16"
        self.skipped = torch.zeros((), dtype=torch.int64, device=device)
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.scaled)

    def autocast(self) -> AbstractContextManager[object]:
        """The context of the forward pass."""
        return nullcontext() if self.name == "fp32" else torch.autocast(self._device.type, DTYPES[self.name])

    def backward(self, loss: torch.Tensor) -> None:
        """Accumulates the gradients of a scalar fp32 loss, scaled when the precision needs it."""
        torch.autograd.backward((self._scaler.scale(loss) if self.scaled else loss,))

    def clip(
        self,
        optimizer: optim.Optimizer,
        gradient: torch.Tensor,
        largest: float | None,
        largest_value: float | None = None,
        norm_of: Callable[[torch.Tensor], torch.Tensor] = torch.linalg.vector_norm,
    ) -> torch.Tensor:
        """Unscales the gradient of all parameters, clips it and returns its norm before clipping.

        Args:
            optimizer: which steps next.
            gradient: ``[n]``; changed in place.
            largest: norm, which keeps the direction (Pascanu et al., 2013); None: no clipping by norm.
            largest_value: absolute value of each element, which does not; None: no clipping by value.
            norm_of: how the norm is taken, where other processes hold other parts of the gradient.

        A norm that is not finite marks a step that ``step`` will skip when the precision is scaled; it comes back as NaN then.
        """
        if self.scaled:
            self._scaler.unscale_(optimizer)
        norm = norm_of(gradient)
        if largest is not None:
            gradient *= (norm + 1e-6).reciprocal_().mul_(largest).clamp_(max=1.0)
        if largest_value is not None:
            gradient.clamp_(-largest_value, largest_value)
        if self.scaled:
            overflow = ~torch.isfinite(norm)
            self.skipped += overflow
            norm = norm.masked_fill(overflow, torch.nan)
        return norm

    def step(self, optimizer: optim.Optimizer) -> None:
        """One optimizer step, or none where a scaled gradient overflowed."""
        if not self.scaled:
            lean.step(optimizer)
            return
        self._scaler.step(optimizer)
        self._scaler.update()

    def memory(self) -> dict[str, torch.Tensor]:
        """What must be remembered to go on later: the loss scale and what belongs to it; nothing unless ``scaled``."""
        if not self.scaled:
            return {}
        state = self._scaler.state_dict()
        numbers = torch.tensor([state["scale"], state["_growth_tracker"]], dtype=torch.float64)
        return {"precision.scale": numbers, "precision.skipped": self.skipped}

    def recall(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Goes on from what ``memory`` gave."""
        if self.scaled:
            scale, tracker = memory["precision.scale"].tolist()
            self._scaler.load_state_dict({**self._scaler.state_dict(), "scale": scale, "_growth_tracker": int(tracker)})
            self.skipped.copy_(memory["precision.skipped"])
