"""Data that lies on the device once, and the order in which training goes through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from sweeper.config.schema import Config
from sweeper.core import seeds
from sweeper.data.dataset import Dataset, Part
from sweeper.errors import InputError

CHUNK_BYTES = 32 * 2**20
CHUNK_ROWS = 2**16
"""How much of the training part is gathered in the epoch's order at a time; batches are slices of it."""


@dataclass(frozen=True)
class Rows:
    """Inputs ``[n, ...]`` (float32) and targets ``[n]`` (int64 classes or float32 values) on the device."""

    x: torch.Tensor
    y: torch.Tensor

    @classmethod
    def of(cls, part: Part, device: torch.device) -> Rows:
        """Copies a part of the data to the device."""
        # Copied, not shared: a worker's arrays are read-only, which tensors cannot be.
        return cls(torch.tensor(part.x, device=device), torch.tensor(part.y, device=device))

    def __len__(self) -> int:
        return self.x.shape[0]

    def split(self, size: int) -> Iterator[Rows]:
        """Views of so many rows each; the last may be shorter."""
        return map(Rows, torch.split(self.x, size), torch.split(self.y, size))


@dataclass(frozen=True)
class Resident:
    """What training and validation need of a dataset, on the device once for all lanes."""

    train: Rows
    val: Rows
    input_shape: tuple[int, ...]
    outputs: int
    task: str
    target_scale: float
    device: torch.device

    @classmethod
    def of(cls, data: Dataset, device: torch.device) -> Resident:
        """Copies the training and the validation part to the device; the test part stays where it is."""
        return cls(
            Rows.of(data.train, device), Rows.of(data.val, device), data.input_shape, data.outputs, data.task, data.target_scale, device
        )


@dataclass(frozen=True)
class Plan:
    """How one epoch is cut into steps: full batches, and a short last one of whatever is left.

    Attributes:
        rows: rows of the training part.
        used: rows used per epoch; one less than ``rows`` where the last batch would be a single row that batch norm cannot take.
        batch_size: rows per step.
        steps: optimizer steps per epoch.
    """

    rows: int
    used: int
    batch_size: int
    steps: int

    @classmethod
    def of(cls, config: Config, rows: int) -> Plan:
        """The plan of this config for a training part of so many rows.

        Raises:
            InputError: the batch is larger than the training part, or a single row under batch norm.
        """
        size = config.training.batch_size
        batch_norm = config.model.norm == "batch"
        if size > rows:
            raise InputError.of(
                "config",
                "training.batch_size",
                f"{size}, but the training part has {rows} rows",
                f"1 to {rows}",
                f"set training.batch_size: {rows} for full-batch training",
            )
        if batch_norm and size == 1:
            raise InputError.of(
                "config",
                "training.batch_size",
                "1 with model.norm: batch, which has no variance to divide by",
                "2 or more",
                "or set another model.norm",
            )
        used = rows - 1 if batch_norm and rows % size == 1 else rows
        return cls(rows, used, size, -(-used // size))


def order_of(plan: Plan, seed: int, epoch: int) -> torch.Tensor:
    """The rows of an epoch in the order of this trial, int64 [used], on the CPU."""
    return torch.randperm(plan.rows, generator=seeds.generator(seed, seeds.Stream.ORDER, epoch))[: plan.used]


def in_order(part: Rows, plan: Plan, seed: int, epoch: int) -> Iterator[Rows]:
    """The training part in the order of this trial and epoch, in chunks of whole batches.

    Gathering a chunk at once makes every batch a view: no gather, no copy per step.
    """
    order = order_of(plan, seed, epoch).to(part.x.device)
    row_bytes = max(1, part.x.shape[1:].numel() * part.x.element_size())
    batches = max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes) // plan.batch_size)
    for piece in torch.split(order, batches * plan.batch_size):
        yield Rows(part.x.index_select(0, piece), part.y.index_select(0, piece))
