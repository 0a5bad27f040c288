"""A user's own network."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakValueDictionary

import torch
from torch import nn

from sweeper.config.schema import Custom
from sweeper.core import seeds
from sweeper.errors import InputError
from sweeper.usercode import call, load_attribute

PATH, PARAMS = "model.path", "model.params"

_BUILT: WeakValueDictionary[int, nn.Parameter] = WeakValueDictionary()
"""The trained parameters of every model that was built in this process and still lives, by their identity."""


def custom(config: Custom, input_shape: tuple[int, ...], outputs: int, tokens: int = 0) -> nn.Module:
    """What the function at ``config.path`` builds.

    It is called with ``input_shape``, ``outputs`` and the params by name, and with ``tokens`` where rows are tokens. One pass of two rows
    of zeros through the model checks its outputs.

    Args:
        config: path, params and folder.
        input_shape: see ``models.build``.
        outputs: see ``models.build``.
        tokens: see ``models.build``.

    Raises:
        InputError: there is no such module or function; it refuses the params or fails; what it returns is no ``nn.Module``, fails on two
            rows, or gives outputs of another shape than ``[2, outputs]``; it has nothing to train, or weights that an earlier model has.
    """
    with seeds.sown(0, torch.device("cpu")):  # a module that draws when it is imported takes nothing from the first trial's weights
        function = load_attribute(config.path, Path(config.folder or "."), key=PATH)
    if not callable(function):
        raise InputError.of("config", PATH, f"{config.path} is {type(function).__name__}", "a function or a class")
    given = {"input_shape": input_shape, "outputs": outputs, **({"tokens": tokens} if tokens else {})}
    if taken := sorted(given.keys() & config.params.keys()):
        raise InputError.of("config", PARAMS, f"{', '.join(taken)} is given by the data", "other names", "delete it")
    model = call(function, {**given, **config.params}, name=config.path, key=PARAMS)
    if not isinstance(model, nn.Module):
        raise InputError.of("config", PATH, f"{config.path} returned {type(model).__name__}", "an nn.Module", "return the model")
    rows = torch.zeros(2, *input_shape, dtype=torch.int64 if tokens else torch.float32)
    found = call(lambda: _outputs(model, rows), {}, name=f"the model of {config.path} on two rows of shape {list(input_shape)}", key=PATH)
    _check_shape(found, 2, outputs, config.path)
    _check_weights(model, config.path)
    return model


def check_outputs(found: object, rows: int, outputs: int, path: str) -> None:
    """What a model makes of a batch in training, where it may do other things than on the two rows that ``custom`` looks at.

    Args:
        found: what it returned.
        rows: of the batch.
        outputs: see ``models.build``.
        path: of its function.

    Raises:
        InputError: these are no outputs ``[rows, outputs]``, or a loss of them has no gradient.
    """
    _check_shape(found, rows, outputs, path, " in training")
    if isinstance(found, torch.Tensor) and not found.requires_grad:
        hint = "no detach, no torch.no_grad, no rounding to whole numbers on the way"
        raise InputError.of("config", PATH, f"{path} gives outputs without a gradient", "outputs that depend on its parameters", hint)


def _check_shape(found: object, rows: int, outputs: int, path: str, when: str = "") -> None:
    shape = list(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
    if shape != [rows, outputs]:
        allowed = f"[{rows}, {outputs}], for outputs={outputs}"
        raise InputError.of("config", PATH, f"{path} gives outputs of shape {shape} for {rows} rows{when}", allowed)


def _check_weights(model: nn.Module, path: str) -> None:
    """There are some to train, and all of these are the model's own: else trials would go on where others ended."""
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not trained:
        raise InputError.of("config", PATH, f"{path} gives a model without a parameter to train", "at least one with requires_grad")
    if taken := [name for name, parameter in trained.items() if _BUILT.get(id(parameter)) is parameter]:
        found = f"{path} gives a model with weights of one that it gave before: {', '.join(taken[:3])}{', ...' if taken[3:] else ''}"
        raise InputError.of("config", PATH, found, "new ones at each call", "make or load them in the function, or return a copy.deepcopy")
    _BUILT.update({id(parameter): parameter for parameter in trained.values()})


@torch.no_grad()
def _outputs(model: nn.Module, rows: torch.Tensor) -> object:
    """In evaluation mode, which takes single rows and changes no statistics; the model's mode is training afterwards."""
    found: object = model.eval()(rows)
    model.train()
    return found
