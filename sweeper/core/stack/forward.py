"""How the models of a shape are made one function, or why they cannot be."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sweeper.config.schema import Config
from sweeper.core.batches import Resident
from sweeper.core.precision import DTYPES, choose
from sweeper.core.stack import kernels
from sweeper.core.stack.general import GeneralForward
from sweeper.core.stack.masks import Masks, drops
from sweeper.core.stack.sequence import Forward, SequenceForward


class UnstackableError(Exception):
    """Models of this shape cannot be made one function; the message says why."""


@dataclass(frozen=True)
class Fit:
    """What a shape's stack is made of.

    Attributes:
        forward: of K models.
        masks: of their dropout layers.
        layered: whether it is written out in batched layers, and not mapped by torch.
        single: why there is never more than one lane; None: there may be.
    """

    forward: Forward
    masks: Masks
    layered: bool
    single: str | None = None


def fit(model: nn.Module, config: Config, data: Resident) -> Fit:
    """The stack's function for models like this one.

    Raises:
        UnstackableError: with the reason why there is none.
    """
    name, _ = choose(config.training.precision, data.device)
    if name == "fp16":
        raise UnstackableError("fp16 scales the loss of each model by itself")
    if not kernels.stackable(config.optimizer):
        raise UnstackableError(f"{config.optimizer.name} works on one matrix at a time")
    single = None
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        single = "torch cannot map recurrent layers over models"
        if data.device.type == "cpu":
            raise UnstackableError(single)
    met = drops(model, data.input_shape, data.tokens)
    masks = Masks(met, data.device)
    layers = SequenceForward.of(model, data.input_shape, DTYPES[name])
    if layers is not None:
        return Fit(layers, masks, layered=True)
    forward = GeneralForward(model, met, DTYPES[name], map_one=data.device.type == "cpu")
    return Fit(forward, masks, layered=False, single=single)
