"""The range test of a model that somebody hands in, with an optimizer and data of their own; everything is left as it was found."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from sweeper.core.loop import pick_device
from sweeper.core.precision import DTYPES, Name
from sweeper.core.seeds import Stream, key
from sweeper.errors import InputError
from sweeper.lr_range import handed_probe
from sweeper.lr_range import probe as stage
from sweeper.lr_range.arguments import check_data, check_model, check_numbers, check_probe
from sweeper.lr_range.climb import climb
from sweeper.lr_range.feed import endless, moved
from sweeper.lr_range.handed_probe import looked_at
from sweeper.lr_range.judge import judge
from sweeper.lr_range.ladder import HIGH, LOW, SEEDS, STEPS
from sweeper.lr_range.probe import Measure
from sweeper.lr_range.restore import GlobalRandom, Snapshot, reseed, restoring
from sweeper.lr_range.result import LrRangeResult
from sweeper.lr_range.rungs import Loss, Rungs


@dataclass(frozen=True, eq=False, kw_only=True)
class HandedResult(LrRangeResult):
    """What a range test of a handed-in model found; the numbers are for the group with the largest learning rate.

    Attributes:
        ratios: by optimizer and group, the learning rate in units of the largest.
    """

    ratios: tuple[tuple[float, ...], ...]

    @property
    def suggestions(self) -> tuple[tuple[float, ...], ...] | None:
        """By optimizer and group, the learning rate to train with."""
        top = self.suggestion
        return None if top is None else tuple(tuple(top * ratio for ratio in ratios) for ratios in self.ratios)

    def as_dict(self) -> dict[str, Any]:
        """JSON data; losses that are not finite become null."""
        return {**super().as_dict(), "ratios": [list(ratios) for ratios in self.ratios]}

    @classmethod
    def from_json(cls, text: str, source: str = "result.json") -> HandedResult:
        """As ``LrRangeResult.from_json``; the result of a config's range test is refused."""
        base = LrRangeResult.from_json(text, source)
        ratios = json.loads(text).get("ratios")
        if ratios is None:
            raise InputError.of(
                source, "ratios", "missing: the result of a config's range test", hint="read it with LrRangeResult.from_json"
            )
        found = {field.name: getattr(base, field.name) for field in fields(base)}
        return cls(**found, ratios=tuple(tuple(group) for group in ratios))

    def _repr_png_(self) -> bytes:
        """The figure, which is what a notebook shows."""
        from sweeper.lr_range.figure import png

        return png(self)


def lr_range_test(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    loss_fn: Callable[[Any, Any], torch.Tensor] | None = None,
    data: Iterable[Any] | None = None,
    *,
    step_fn: Callable[[nn.Module, Any], Loss] | None = None,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    repeats: int = SEEDS,
    seed: int = 0,
    probe: Measure | str | None = None,
    validation: Iterable[Any] | None = None,
    probe_steps: int | None = None,
    accumulate: int = 1,
    precision: Name = "fp32",
    scaler: torch.amp.GradScaler | None = None,
    clip_norm: float | None = None,
    device: torch.device | str | None = None,
    schedulers: Iterable[object] = (),
    also_restore: Iterable[object] = (),
    snapshot_device: torch.device | str | None = None,
) -> HandedResult:
    """Train the model on a ladder of learning rates, and then perhaps with constant ones, from where it is now; leave everything as it was.

    ``sweeper.lr_range_test`` tells what the arguments are.
    """
    optimizers = list(optimizer) if isinstance(optimizer, Sequence) else [optimizer]
    check_numbers(low, high, steps, repeats, accumulate, precision, clip_norm)
    check_model(model, optimizers)
    step, batches = check_data(loss_fn, step_fn, data)
    length = stage.length_of(probe_steps, steps)
    measure = check_probe(probe, validation, length)
    home = pick_device(str(device)) if device is not None else next(model.parameters()).device
    scaling = scaler if scaler is not None or precision != "fp16" else torch.amp.GradScaler(home.type)
    owners = [model, *optimizers, scaling, loss_fn, step_fn, *schedulers, *also_restore]
    training, feeding = Snapshot(owners, device=snapshot_device), Snapshot(sources=[batches, validation])
    wanted = (repeats * steps + (0 if measure is None else stage.SEEDS * length)) * accumulate

    def begin(number: int) -> None:
        """From where the model was handed in, with the random numbers of this repeat."""
        training.rewind()
        reseed(key(seed, Stream.NOISE, number), [*training.generators, *feeding.generators])
        if not model.training:
            model.train()

    def rungs_on(stream: Iterator[Any]) -> Rungs:
        return Rungs(
            optimizers,
            lambda batch: step(model, moved(batch, home)),
            stream,
            accumulate=accumulate,
            autocast=_autocast(precision, home),
            scaler=scaling,
            clip_norm=clip_norm,
        )

    lrs = np.geomspace(low, high, steps)
    losses = np.full((repeats, steps), math.nan)
    started = time.perf_counter()
    with (
        restoring(training, feeding, GlobalRandom()),
        closing(endless(batches, seed, wanted)) as stream,
        torch.enable_grad(),
    ):
        rungs = rungs_on(stream)
        if validation is not None:  # a mistake in it is told now, not after the ladder
            begin(0)
            looked_at(model, rungs, islice(validation, 1))
        for repeat in range(repeats):
            begin(repeat)
            climb(rungs, lrs, losses[repeat])
        seconds = time.perf_counter() - started
        verdict = judge(lrs, losses, plain=all(map(_plain, optimizers)))
        probed = None
        if measure is not None and verdict.suggestion is not None:
            probed = handed_probe.probe(
                model,
                lambda number: begin(repeats + number),
                rungs_on,
                stream,
                verdict.suggestion,
                measure=measure,
                validation=validation,
                steps=length,
                accumulate=accumulate,
            )
    return HandedResult(
        name=type(model).__name__,
        optimizer=" + ".join(type(one).__name__.lower() for one in optimizers),
        lrs=lrs,
        losses=losses,
        judgement=verdict,
        horizon=steps,
        cost_steps=int(np.sum(np.isfinite(losses))),
        seconds=seconds,
        probe=probed,
        ratios=rungs.rates.ratios,
    )


def _plain(optimizer: Optimizer) -> bool:
    """Whether it is gradient descent without momentum."""
    return isinstance(optimizer, SGD) and all(group["momentum"] == 0 for group in optimizer.param_groups)


def _autocast(precision: Name, device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    return nullcontext if precision == "fp32" else lambda: torch.autocast(device.type, DTYPES[precision])
