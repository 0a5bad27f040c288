"""What is handed in, checked before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from sweeper.core.precision import DTYPES
from sweeper.errors import InputError, Problem
from sweeper.lr_range.feed import pair
from sweeper.lr_range.ladder import SOURCE, ladder_problems, word_of
from sweeper.lr_range.probe import Measure, check
from sweeper.lr_range.rungs import Loss

Step = Callable[[nn.Module, Any], Loss]


def check_numbers(low: float, high: float, steps: int, repeats: int, accumulate: int, precision: str, clip_norm: float | None) -> None:
    """Refuses a ladder that is none, and steps that cannot be taken.

    Raises:
        InputError: every such number at once.
    """
    problems = list(ladder_problems(low, high, steps, repeats=repeats, accumulate=accumulate))
    if precision not in DTYPES:
        problems.append(Problem(SOURCE, "precision", precision, ", ".join(DTYPES)))
    if clip_norm is not None and not clip_norm > 0:
        problems.append(Problem(SOURCE, "clip_norm", str(clip_norm), "above 0, or None"))
    if problems:
        raise InputError(problems)


def check_model(model: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    """Refuses what cannot be trained or put back.

    Raises:
        InputError: no parameters, or some without values; no optimizer, or one whose step needs a closure.
    """
    parameters = dict(model.named_parameters())
    problems = []
    if not parameters:
        problems.append(Problem(SOURCE, "model", f"{type(model).__name__} has no parameters", "a model that can be trained"))
    if lazy := [name for name, one in parameters.items() if is_lazy(one)]:
        problems.append(
            Problem(SOURCE, "model", f"{lazy[0]} has no shape yet", "parameters with values", "run the model on one batch first")
        )
    if meta := [name for name, one in parameters.items() if one.is_meta]:
        problems.append(
            Problem(SOURCE, "model", f"{meta[0]} is on the meta device", "parameters with values", "use to_empty() and load them")
        )
    allowed = "a torch.optim.Optimizer, or a list of them"
    if not optimizers:
        problems.append(Problem(SOURCE, "optimizer", "an empty list", allowed))
    for one in optimizers:
        if not isinstance(one, Optimizer):
            problems.append(Problem(SOURCE, "optimizer", f"a {type(one).__name__}", allowed))
        elif _wants_closure(one):
            found = f"{type(one).__name__}, whose step computes the loss itself, several times"
            problems.append(Problem(SOURCE, "optimizer", found, "one that steps once per gradient, such as SGD or AdamW"))
    if problems:
        raise InputError(problems)


def check_data(
    loss_fn: Callable[[Any, Any], torch.Tensor] | None, step_fn: Step | None, data: Iterable[Any] | None
) -> tuple[Step, Iterable[Any]]:
    """How to get the loss of a batch, and the batches.

    Raises:
        InputError: one of them is missing, or something else.
    """
    problems = []
    if not isinstance(data, Iterable):
        found = "missing" if data is None else f"a {type(data).__name__}"
        problems.append(Problem(SOURCE, "data", found, "a DataLoader, a list of batches, an iterable of them"))
    for name, one in (("loss_fn", loss_fn), ("step_fn", step_fn)):
        if one is not None and not callable(one):
            problems.append(Problem(SOURCE, name, f"a {type(one).__name__}", "a function that returns the loss"))
    step = step_fn if loss_fn is None else _of_pairs(loss_fn)
    if step is None or (loss_fn is not None and step_fn is not None):
        found = "neither" if step is None else "both"
        problems.append(Problem(SOURCE, "loss_fn, step_fn", found, "one of loss_fn(output, target) and step_fn(model, batch)"))
    if problems or step is None or data is None:
        raise InputError(problems)
    return step, data


def check_probe(probe: Measure | str | None, validation: Iterable[Any] | None, steps: int) -> Measure | None:
    """What the second stage compares rates by; None: there is none.

    Raises:
        InputError: no such measure, one without its batches or batches without their measure, or too few steps.
    """
    measure = word_of(Measure, probe, "probe") if probe is not None else None if validation is None else Measure.VAL_LOSS
    allowed = "a DataLoader, a list of batches, an iterable of them"
    if measure is Measure.VAL_LOSS and validation is None:
        raise InputError.of(SOURCE, "validation", "missing", allowed, 'probe="val_loss" compares the loss of these batches')
    if measure is Measure.TRAIN_LOSS and validation is not None:
        hint = 'leave out one of both, or pass probe="val_loss"'
        raise InputError.of(SOURCE, "validation", 'given, and probe="train_loss" does not look at it', "None", hint)
    if validation is not None and not isinstance(validation, Iterable):
        raise InputError.of(SOURCE, "validation", f"a {type(validation).__name__}", allowed)
    if isinstance(validation, Iterator):
        hint = "pass the loader itself, not iter(loader), or list(...) of the batches"
        found = f"a {type(validation).__name__}, which can be read once, and every learning rate needs all of it"
        raise InputError.of(SOURCE, "validation", found, allowed, hint)
    if measure is not None:
        check(steps)
    return measure


def _of_pairs(loss_fn: Callable[[Any, Any], torch.Tensor]) -> Step:
    """The step of batches that are pairs."""

    def step(model: nn.Module, batch: Any) -> torch.Tensor:
        inputs, target = pair(batch)
        return loss_fn(model(inputs), target)

    return step


def _wants_closure(optimizer: Optimizer) -> bool:
    closure = signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is Parameter.empty
