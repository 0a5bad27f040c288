"""One optimizer step of somebody else's model: forward, backward, and a step at the rung's learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sweeper.errors import InputError
from sweeper.lr_range.ladder import SOURCE

Loss = torch.Tensor | Sequence[torch.Tensor]


class Rates:
    """The learning rates of all groups of all optimizers as one number: the largest of them; the others keep their ratio to it.

    A group that a scheduler has in hand counts with its ``initial_lr``: a warm-up may just have set the rate itself to zero.

    Raises:
        InputError: a group has no learning rate, or all of them are zero.

    Attributes:
        ratios: by optimizer and group, 1 at the largest.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._groups = [optimizer.param_groups for optimizer in optimizers]
        base = [[_rate(group) for group in groups] for groups in self._groups]
        largest = max(rate for rates in base for rate in rates)
        if largest <= 0:
            raise InputError.of(
                SOURCE,
                "optimizer",
                "all groups have the learning rate 0",
                "at least one above 0, since the test multiplies them",
                "make the optimizer with the ratios that its groups are to have, such as lr=1.0; the size does not matter",
            )
        self.ratios = tuple(tuple(rate / largest for rate in rates) for rates in base)

    def set(self, lr: float) -> None:
        """Set the largest to ``lr``, and the others with it; tensors (of capturable optimizers) in place."""
        for groups, ratios in zip(self._groups, self.ratios, strict=True):
            for group, ratio in zip(groups, ratios, strict=True):
                if isinstance(group["lr"], torch.Tensor):
                    group["lr"].fill_(lr * ratio)
                else:
                    group["lr"] = lr * ratio


class Rungs:
    """Takes the steps of the ladder.

    Args:
        optimizers: all step together.
        loss_of: the loss of a batch: one scalar, or one per optimizer, which then has the gradients of its own parameters.
        batches: endless.
        accumulate: batches per step.
        autocast: a new context of the forward pass.
        scaler: of losses; None: they are not scaled.
        clip_norm: largest norm of the gradients of all optimizers together; None: no clipping.

    Raises:
        InputError: an optimizer whose steps evaluate the loss themselves, or learning rates that cannot be set.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        loss_of: Callable[[Any], Loss],
        batches: Iterator[Any],
        *,
        accumulate: int,
        autocast: Callable[[], AbstractContextManager[object]],
        scaler: torch.amp.GradScaler | None,
        clip_norm: float | None,
    ) -> None:
        self.rates = Rates(optimizers)
        self._optimizers = optimizers
        self._parameters = [[p for group in one.param_groups for p in group["params"] if p.requires_grad] for one in optimizers]
        self._loss_of = loss_of
        self._batches = batches
        self._accumulate = accumulate
        self._autocast = autocast
        self._scaler = scaler
        self._clip_norm = clip_norm
        self._known = False

    def loss(self) -> float:
        """The mean loss of the next batches; their gradients are ready for ``step``."""
        total = 0.0
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        for _ in range(self._accumulate):
            batch = next(self._batches)
            with self._autocast():
                found = self._losses(self._loss_of(batch))
            if not self._known:
                self._no_gradient_yet()
            total += sum(float(loss.detach()) for loss in found) / self._accumulate
            self._backward([loss / self._accumulate for loss in found])
            if not self._known:
                self._some_gradient()
                self._known = True
        return total

    def step(self, lr: float) -> bool:
        """Step at this learning rate; whether it was taken: gradients that overflowed because they were scaled are not used."""
        self.rates.set(lr)
        scaler = self._scaler
        if self._clip_norm is not None:
            if scaler is not None:
                for optimizer in self._optimizers:
                    scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_([p for parameters in self._parameters for p in parameters], self._clip_norm)
        if scaler is None:
            for optimizer in self._optimizers:
                optimizer.step()
            return True
        scale = scaler.get_scale()
        for optimizer in self._optimizers:
            scaler.step(optimizer)
        scaler.update()
        return scaler.get_scale() >= scale

    def score(self, batches: Iterable[Any]) -> float | None:
        """The mean of these batches' losses, without a gradient and a step; None where there is no batch."""
        found = []
        with torch.no_grad():
            for batch in batches:
                with self._autocast():
                    losses = self._losses(self._loss_of(batch), graph=False)
                found.append(sum(float(loss) for loss in losses))
        return sum(found) / len(found) if found else None

    def _backward(self, losses: Sequence[torch.Tensor]) -> None:
        scaled = [loss if self._scaler is None else self._scaler.scale(loss) for loss in losses]
        if len(scaled) == 1:
            torch.autograd.backward(scaled)
            return
        for number, (loss, parameters) in enumerate(zip(scaled, self._parameters, strict=True), start=1):
            torch.autograd.backward((loss,), inputs=parameters, retain_graph=number < len(scaled))

    def _losses(self, found: Loss, *, graph: bool = True) -> Sequence[torch.Tensor]:
        """The losses as they should be, with or without a graph behind them.

        Raises:
            InputError: they are something else.
        """
        losses = [found] if isinstance(found, torch.Tensor) or not isinstance(found, Sequence) else list(found)
        if len(losses) not in {1, len(self._optimizers)}:
            raise _no_loss(f"{len(losses)} losses for {len(self._optimizers)} optimizers", "one loss, or one per optimizer")
        for loss in losses:
            if not isinstance(loss, torch.Tensor):
                raise _no_loss(f"a {type(loss).__name__}", "the loss as a tensor", "such as output.loss, before .item()")
            if loss.numel() != 1:
                raise _no_loss(f"a tensor of shape {tuple(loss.shape)}", "a single number", "take its mean")
            if graph and not loss.requires_grad:
                raise _no_loss(
                    "a tensor without a graph",
                    "the loss that backward can start from",
                    "no detach, no torch.no_grad, parameters that require gradients",
                )
        return losses

    def _no_gradient_yet(self) -> None:
        if any(p.grad is not None for parameters in self._parameters for p in parameters):
            raise _no_loss("after calling backward itself", "the loss alone", "backward and optimizer.step are the test's; leave them out")

    def _some_gradient(self) -> None:
        for optimizer, parameters in zip(self._optimizers, self._parameters, strict=True):
            if all(p.grad is None for p in parameters):
                raise InputError.of(
                    SOURCE,
                    "optimizer",
                    f"{type(optimizer).__name__} has no parameter that the loss depends on",
                    "an optimizer of this model's parameters",
                    "make it after the model is on its device and whole",
                )


def _rate(group: dict[str, Any]) -> float:
    if "lr" not in group:
        raise InputError.of(SOURCE, "optimizer", f"a group with {', '.join(group)} and no lr", "groups with an lr, which is what is tested")
    return float(group.get("initial_lr", group["lr"]))


def _no_loss(found: str, allowed: str, hint: str = "") -> InputError:
    return InputError.of(SOURCE, "step_fn, loss_fn", f"returned {found}", allowed, hint)
