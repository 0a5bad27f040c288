"""Whether a custom model is still the one that was trained: its code is a file that anybody may edit, and only its weights are kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import nn

from sweeper.config.schema import Config, Custom
from sweeper.core import models, seeds
from sweeper.core.batches import rows_of
from sweeper.core.checkpoint import Checkpoint
from sweeper.core.evaluate import evaluate, outputs_of
from sweeper.core.loop import pick_device
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError

FILE = "likeness.json"
ROWS = 2
"""Made-up rows whose outputs an exported model keeps."""

RELATIVE, ABSOLUTE = 0.05, 0.005
"""How far losses and outputs may be apart: beyond what devices and precisions do, below what an edit does."""


def filled(trained: Checkpoint, config: Config, tokens: int) -> nn.Module:
    """The network of a config, on the CPU, with trained weights.

    Raises:
        InputError: it has other tensors than those, or cannot be built.
    """
    net = models.build(config.model, trained.input_shape, trained.outputs, tokens=tokens)
    try:
        net.load_state_dict(dict(trained.state))
    except RuntimeError as error:
        found = " ".join(str(error).split())
        if isinstance(config.model, Custom):
            raise _other(config.model, found, "put the code back as it was, or train again") from error
        raise InputError.of("config", "model", f"the tensors are not those of this config: {found}", "", "export it again") from error
    return net


def taken(trained: Checkpoint, config: Config, model: Custom, data: Dataset) -> str:
    """What an exported model keeps to be known by: its outputs for some rows, as JSON; ``model`` is the config's.

    Raises:
        InputError: with the trained weights, the code as it is now does not give the validation loss that training had.
    """
    device = pick_device("auto")
    net = filled(trained, config, data.tokens).to(device)
    with seeds.noise(config.training.seed, trained.epoch, device):  # as in training, for a model that draws in evaluation
        loss = evaluate(net, rows_of(data.val, device), data.task)["loss"]
    if not math.isclose(loss, trained.metrics["val_loss"], rel_tol=RELATIVE, abs_tol=ABSOLUTE):
        found = f"with its trained weights it gives a val_loss of {loss:.4g}, and training had {trained.metrics['val_loss']:.4g}"
        hint = "put the code back as it was and run again, or train anew; what a model keeps between batches belongs in its state_dict"
        raise _other(model, found, hint)
    return json.dumps({"outputs": _outputs(net.cpu(), trained.input_shape, data.tokens).tolist()}) + "\n"


def compare(net: nn.Module, trained: Checkpoint, config: Config, tokens: int, folder: Path) -> None:
    """Raises an ``InputError`` where a custom model, on the CPU, gives other outputs than those that ``folder`` keeps, if it does."""
    if not isinstance(config.model, Custom):
        return
    try:
        kept = torch.tensor(json.loads((folder / FILE).read_text(encoding="utf-8"))["outputs"])
    except FileNotFoundError:  # exported before they were kept
        return
    now = _outputs(net, trained.input_shape, tokens)
    if not torch.allclose(now, kept, RELATIVE, ABSOLUTE, equal_nan=True):
        raise _other(config.model, "it gives other outputs than when it was exported", "put the code back as it was, or train again")


def _outputs(net: nn.Module, input_shape: tuple[int, ...], tokens: int) -> torch.Tensor:
    """Of rows that are always the same, float32 [ROWS, outputs]."""
    with seeds.sown(0, torch.device("cpu")):
        rows = torch.randint(1, tokens, (ROWS, *input_shape)) if tokens else torch.randn(ROWS, *input_shape)
        return outputs_of(net, rows).float()


def _other(model: Custom, found: str, hint: str) -> InputError:
    return InputError.of(
        "config", "model.path", f"{model.path} is not the model that was trained: {found}", "the code that was trained", hint
    )
