"""All checks of the default config's model and training, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from sweeper.config.schema import Config
from sweeper.core.batches import Resident, Rows
from sweeper.core.sizes import size_of
from sweeper.core.stack.plain import PlainStack
from sweeper.errors import InputError
from sweeper.preflight.finding import Finding, failed, passed
from sweeper.preflight.forward import dropout_on_outputs, initial_loss, rows_independent, softmax_before_loss, uses_input
from sweeper.preflight.gradients import gradient_check, gradient_flow, zero_init
from sweeper.preflight.lesson import loss_decreases, overfits, repeats, trial_of

MANY, BATCH, SOME, FEW = 1024, 64, 16, 8
"""Rows that a check looks at: for a loss, for gradients, one by one, and in differences."""


def model_findings(config: Config, data: Resident) -> Iterator[Finding]:
    """Every row about the model and its training, one after another as they are found.

    Args:
        config: complete; the default of a space.
        data: on the device.

    Raises:
        InputError: the config does not fit the data.
    """
    model = PlainStack([trial_of(config)], data).lane(0).model
    task, outputs = data.task, data.outputs
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("size", lambda: passed("size", f"the default config has {size_of(model, data.input_shape, data.tokens)}")),
        ("seeds", lambda: repeats(config, data)),
        ("initial loss", lambda: initial_loss(model, some(data, MANY), task, outputs)),
        ("raw outputs", lambda: softmax_before_loss(model, some(data, BATCH), task)),
        ("dropout on outputs", lambda: dropout_on_outputs(model, some(data, BATCH))),
        ("uses its input", lambda: uses_input(model, some(data, BATCH), task)),
        ("rows independent", lambda: rows_independent(model, some(data, SOME))),
        ("symmetry", lambda: zero_init(model, some(data, BATCH), task)),
        ("gradient flow", lambda: gradient_flow(model, some(data, BATCH), task)),
        ("gradient check", lambda: gradient_check(model, some(data, FEW))),
        ("loss decreases", lambda: loss_decreases(config, data)),
        ("overfit 10 examples", lambda: overfits(config, data)),
    )
    for name, check in checks:
        yield guarded(name, check)


def some(data: Resident, number: int) -> Rows:
    """So many random training rows, always the same ones: a file's order may hide classes."""
    chosen = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:number].to(data.device)
    return data.train.take(chosen)


def guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """What a check finds; what a model's own code raises is a finding, too."""
    try:
        return check()
    except InputError as error:
        found = "; ".join(f"{problem.path} {problem.found}" for problem in error.problems)
        return failed(name, found, "; ".join(problem.hint or problem.allowed for problem in error.problems))
    except Exception as error:  # noqa: BLE001 - whatever a model's code does
        line = str(error).strip().partition("\n")[0][:200]
        return failed(name, f"could not be checked: {type(error).__name__}: {line}", "mend the model", "model")
