"""What a worker of the reuse arm does in an epoch: a hand-tuned PyTorch loop for one model (see ``reuse_ray_tune``)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

EPOCHS, BATCH, WARMUP, WARMUP_FROM = 20, 64, 0.1, 0.01


class Training:
    """Trains one config after another on the same data.

    Args:
        data: as ``benchmarks.digits`` gives it.

    Attributes:
        begun: when the trial in hand began, unix time.
        curve: per epoch of it: unix time, train_loss, val_loss, val_accuracy, learning rate.
    """

    def __init__(self, data: Mapping[str, np.ndarray]) -> None:
        torch.set_num_threads(1)
        self._x, self._y, self._x_val, self._y_val = (torch.from_numpy(data[name].copy()) for name in ("x", "y", "x_val", "y_val"))
        self._steps = math.ceil(len(self._x) / BATCH) * EPOCHS
        self._loss_of = nn.CrossEntropyLoss()

    def begin(self, config: Mapping[str, Any]) -> None:
        """Take up a new trial."""
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        incoming = 64
        for _ in range(config["depth"]):
            layers += [nn.Linear(incoming, config["width"]), nn.ReLU(), nn.Dropout(config["dropout"])]
            incoming = config["width"]
        self._model = nn.Sequential(*layers, nn.Linear(incoming, 10))
        self._parameters = list(self._model.parameters())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=config["lr"], weight_decay=config["weight_decay"], fused=True)
        self._peak = config["lr"]
        self._step = 0
        self.begun = time.time()
        self.curve: list[tuple[float, float, float, float, float]] = []

    def epoch(self) -> None:
        """Train one epoch and evaluate."""
        order = torch.randperm(len(self._x))
        total = torch.zeros(())
        self._model.train()
        for x, y in zip(torch.split(self._x[order], BATCH), torch.split(self._y[order], BATCH), strict=True):
            self._optimizer.param_groups[0]["lr"] = rate = self._peak * multiplier(self._step, self._steps)
            self._optimizer.zero_grad()
            loss = self._loss_of(self._model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(self._parameters, 1.0, foreach=True)
            self._optimizer.step()
            self._step += 1
            total += loss.detach() * len(x)
        self._model.eval()
        with torch.inference_mode():
            outputs = self._model(self._x_val)
            val_loss = self._loss_of(outputs, self._y_val).item()
            accuracy = (outputs.argmax(1) == self._y_val).float().mean().item()
        self.curve.append((time.time(), total.item() / len(self._x), val_loss, accuracy, rate))


def multiplier(step: int, steps: int) -> float:
    """Of the peak learning rate: linear warm-up, then half a cosine."""
    warmup = int(WARMUP * steps)
    if step < warmup:
        return WARMUP_FROM + (1.0 - WARMUP_FROM) * step / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
