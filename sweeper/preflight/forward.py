"""What a forward pass tells about a model: its first loss, and whether its outputs are what a loss may be computed from."""

from __future__ import annotations

import math

import torch
from torch import nn

from sweeper.core.batches import Rows
from sweeper.core.dropout import Dropout
from sweeper.core.evaluate import outputs_of, task_loss
from sweeper.preflight.finding import Finding, failed, passed, warned
from sweeper.preflight.trying import seeded, twin, warmed

NEAR_CHANCE = 0.1
"""How far the first loss may be from that of a model that knows nothing."""

SAME = 1e-4
"""Relative to the outputs: beyond rounding, and far below what another row's influence does."""

ROUNDING = 1e-6
"""Relative to the outputs: what equal rows may differ by."""

DROP = 0.5
"""Dropout that is looked for is switched to this probability, so that a model whose default is 0 is looked at too."""

JITTER = 0.01
"""Standard deviation of what is added to parameters, so that none is exactly zero."""

DROPOUTS = (Dropout, nn.modules.dropout._DropoutNd)

DRAWS = 3


def initial_loss(model: nn.Module, rows: Rows, task: str, outputs: int) -> Finding:
    """The fresh model's loss in evaluation mode against ln(classes), ln 2 per label, or the target's variance.

    Args:
        model: as it is before training.
        rows: any number of training rows.
        task: names the loss.
        outputs: numbers per row that the loss needs.
    """
    check = "initial loss"
    with seeded():
        found = outputs_of(twin(model), rows.x)
    if tuple(found.shape) != (len(rows), outputs):
        return failed(check, f"outputs of shape {list(found.shape)}, and the task needs {[len(rows), outputs]}", "mend the model", "model")
    loss = float(task_loss(found, rows.y, task))
    if not math.isfinite(loss):
        return failed(check, f"the loss of the fresh model is {loss}", "check the inputs' range, the initialisation and log(0)", "model")
    match task:
        case "classification":
            chance, name = math.log(outputs), f"ln({outputs})"
        case "multilabel":
            chance, name = math.log(2), "ln(2)"
        case _:
            chance, name = float(rows.y.double().var(correction=0)), "the target's variance"
    told = f"{loss:.3f} before training; knowing nothing gives {name} = {chance:.3f}"
    if abs(loss - chance) <= NEAR_CHANCE:
        return passed(check, told)
    remedy = "a smaller output layer at the start; normalised inputs; the loss's own way of taking outputs"
    return warned(check, f"{told}, and they differ by more than {NEAR_CHANCE}", remedy, "model")


def uses_input(model: nn.Module, rows: Rows, task: str) -> Finding:
    """Whether different rows get different outputs, at the start or after a few steps."""
    check = "uses its input"
    with seeded():
        for candidate in (twin(model), warmed(model, rows, task)):
            found = outputs_of(candidate, rows.x)
            spread = float(_spread(found))
            if spread > ROUNDING * float(found.abs().max()):
                return passed(check, f"outputs of {len(rows)} rows differ by up to {spread:.2g}")
    return failed(check, f"{len(rows)} different rows all get the same output", "the model's forward must pass its argument on", "model")


def rows_independent(model: nn.Module, rows: Rows) -> Finding:
    """Whether a row gets the same output alone, twice, and in batches of different rows, in evaluation mode.

    Batch norm that uses a batch's own statistics in evaluation, dropout that stays on, and sums over the wrong axis fail.
    """
    check = "rows independent"
    remedy = "no statistics over rows in evaluation (batch norm keeps running ones), no noise, and sums over the features' axis"
    other = twin(model).eval()
    half = len(rows) // 2
    try:
        with seeded(), torch.inference_mode():
            together = other(rows.x)
            again = other(rows.x)
            halves = torch.cat([other(rows.x[:half]), other(rows.x[half:])])
            alone = torch.cat([other(rows.x[i : i + 1]) for i in range(len(rows))])
    except (RuntimeError, ValueError) as error:
        return failed(check, f"evaluation of a single row fails: {_line(error)}", remedy, "model")
    scale = max(float(_spread(together)), float(together.abs().max()), 1e-12)
    if not torch.equal(torch.isfinite(together), torch.ones_like(together, dtype=torch.bool)):
        return failed(check, "outputs in evaluation mode are NaN or infinite", "check the inputs' range and the initialisation", "model")
    gaps = {"in the same batch again": again, "in a batch of half the rows": halves, "alone": alone}
    for where, found in gaps.items():
        gap = float((found - together).abs().max()) / scale
        if not gap <= SAME:
            return failed(check, f"{where} a row gets another output, off by {gap:.1%} of the outputs' size", remedy, "model")
    return passed(check, f"{len(rows)} rows get the same output alone, in half a batch and in a whole one")


def dropout_on_outputs(model: nn.Module, rows: Rows) -> Finding:
    """Whether dropout acts on the outputs themselves: in training mode some of them are exactly zero that are not in evaluation."""
    check = "dropout on outputs"
    other = twin(model)
    for module in other.modules():
        if isinstance(module, DROPOUTS):
            module.p = max(module.p, DROP)
    with seeded(), torch.no_grad():
        for parameter in other.parameters():
            # A row whose hidden units are all dropped gives its bias, and that would be zero.
            parameter.add_(torch.randn_like(parameter), alpha=JITTER)
        plain = other.eval()(rows.x) != 0
        other.train()
        zeroed = sum((other(rows.x) == 0) & plain for _ in range(DRAWS))
    share = float(torch.as_tensor(zeroed).double().mean()) / DRAWS
    if share == 0:
        return passed(check, "no output is dropped in training")
    found = f"training sets {share:.0%} of the outputs to zero: dropout acts on what the loss is computed from"
    return failed(check, found, "dropout after hidden activations only, never behind the output layer", "model")


def softmax_before_loss(model: nn.Module, rows: Rows, task: str) -> Finding:
    """Whether outputs are probabilities already, where the loss applies its own softmax or sigmoid: then gradients are far too small.

    Looked at with random weights too, since small outputs may lie between 0 and 1 by chance.
    """
    check = "raw outputs"
    if task == "regression":
        return passed(check, "a squared error takes outputs as they are")
    other = twin(model).eval()
    with seeded(), torch.no_grad():
        squashed = _probabilities(other(rows.x), task)
        for _ in range(DRAWS):
            for parameter in other.parameters():
                parameter.normal_()
            squashed = squashed and _probabilities(other(rows.x), task)
    if not squashed:
        return passed(check, "outputs are raw scores, as the loss expects")
    name = "softmax" if task == "classification" else "sigmoid"
    how = "lie between 0 and 1 and sum to 1" if task == "classification" else "lie between 0 and 1"
    return failed(check, f"outputs {how}: the loss applies {name} a second time", f"remove the {name} at the model's end", "model")


def _probabilities(outputs: torch.Tensor, task: str) -> bool:
    inside = bool(((outputs >= 0) & (outputs <= 1)).all())
    if task != "classification":
        return inside
    sums = outputs.sum(-1)
    return inside and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)


def _spread(outputs: torch.Tensor) -> torch.Tensor:
    """The largest difference between two rows in any output."""
    return (outputs.amax(0) - outputs.amin(0)).max()


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:160]}"
