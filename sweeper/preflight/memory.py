"""How much memory training a config takes: an estimate from its parameters and from what a forward pass of two rows keeps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from sweeper.config.schema import Config
from sweeper.core import models
from sweeper.core.batches import Resident
from sweeper.core.evaluate import task_loss
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
    """An estimate for each process that trains a trial; parameters are counted on the meta device, which allocates nothing."""
    parts = (data.train.x, data.train.y, data.val.x, data.val.y)
    resident = sum(part.numel() * part.element_size() for part in parts)
    with torch.device("meta"):
        model = models.build(config.model, data.input_shape, data.outputs, data.tokens)
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    process = PROCESS if data.device.type == "cpu" else 0
    activations = _activations(config, data) if parameters < TRIED else 0
    resources = config.resources
    holders = resources.processes if resources.sharding == "fsdp" else 1
    return Bytes(COPIES * parameters // holders, activations // resources.processes, resident, process)


def _activations(config: Config, data: Resident) -> int:
    """What one batch leaves for the backward pass, from a real pass of two rows: on the meta device it would import 800 modules first."""
    model = models.build(config.model, data.input_shape, data.outputs, data.tokens).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    x, y = data.train.x[:ROWS].clone().cpu(), data.train.y[:ROWS].clone().cpu()  # storages of their own
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
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if (meminfo := Path("/proc/meminfo")).is_file():  # pages of the file cache are free too
        available = next((line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:")), "")
        free = int(available.split()[1]) * 1024 if available else free
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return max(free, 0)


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
