"""How much memory training a config takes: an estimate from its parameters and from what a forward pass of two rows keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sweeper.config.schema import Config
from sweeper.core import models
from sweeper.core.batches import Resident
from sweeper.core.evaluate import task_loss
from sweeper.data.stream import free_memory
from sweeper.preflight.finding import Finding, failed, passed, warned
from sweeper.preflight.trying import seeded

COPIES = 5
"""Of the parameters: values, gradients, up to two moments of the optimizer, and the best epoch's."""

ROWS = 2
"""That go through the model to see what autograd keeps of them: the fewest that batch norm takes."""

TRIED = 2**31
"""Bytes of parameters from which on a model is not built to find out."""

PROCESS = 400 * 2**20
"""Bytes of a worker with torch and Ray before it has any data."""


@dataclass(frozen=True)
class Bytes:
    """Where the memory goes.

    Attributes:
        model: parameters, gradients, optimizer and the best epoch's copy.
        activations: what one batch leaves for the backward pass; 0 where the model is too large to find out.
        data: training and validation part.
        process: the worker itself; 0 on a GPU.
    """

    model: int
    activations: int
    data: int
    process: int

    @property
    def total(self) -> int:
        """All together."""
        return self.model + self.activations + self.data + self.process

    def told(self) -> str:
        """The total in MiB or GiB."""
        return size(self.total)


def size(number: int) -> str:
    """Bytes as people read them."""
    for unit, bytes_ in (("GiB", 2**30), ("MiB", 2**20)):
        if number >= bytes_:
            return f"{number / bytes_:.1f} {unit}"
    return f"{number / 2**10:.0f} KiB"


def training_bytes(config: Config, data: Resident) -> Bytes:
    """An estimate for each process that trains a trial; our own families are counted on the meta device, which allocates nothing."""
    with torch.device("meta"):
        model = models.build(config.model, data.input_shape, data.outputs, data.tokens)
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    process = PROCESS if data.device.type == "cpu" else 0
    activations = _activations(config, data) if parameters < TRIED else 0
    resources = config.resources
    holders = resources.processes if resources.sharding == "fsdp" else 1
    return Bytes(COPIES * parameters // holders, activations // resources.processes, data.train.held + data.val.held, process)


def _activations(config: Config, data: Resident) -> int:
    """What one batch leaves for the backward pass, from a real pass of two rows: on the meta device it would import 800 modules first."""
    model = models.build(config.model, data.input_shape, data.outputs, data.tokens).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    few = data.train.take(slice(ROWS))
    x, y = few.x.clone().cpu(), few.y.clone().cpu()  # storages of their own
    with seeded(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = task_loss(model(x), y, data.task)
    rows = min(config.training.batch_size, len(data.train))
    found = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)
    del loss  # until here it keeps every tensor, and with it its place, alive
    return found * rows // len(x)


def free_bytes(device: torch.device) -> int:
    """What is free on a GPU, or of the machine's memory within this container's limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def memory(config: Config, data: Resident, workers: int, free: int) -> Finding:
    """The largest config's memory times the workers, and times the processes of each, against what is free."""
    check = "memory"
    needed = training_bytes(config, data)
    workers *= config.resources.processes
    on = "CPU" if data.device.type == "cpu" else "GPU"
    parts = f"model and optimizer {size(needed.model)}, activations {size(needed.activations)}, data {size(needed.data)}"
    told = f"an estimate: the largest config takes {needed.told()} of {on} memory ({parts}); {workers} at a time, and {size(free)} are free"
    remedy = "fewer resources.workers, smaller training.batch_size, or a smaller bound for the model"
    if needed.total > free:
        return failed(check, told, remedy, "resources.workers")
    if needed.total * workers > free:
        return warned(check, told, remedy, "resources.workers")
    return passed(check, told)
