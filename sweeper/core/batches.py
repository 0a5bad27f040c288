"""Data that lies on the device once, or is streamed to it, and the order in which training goes through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from typing import TypeAlias

import torch

from sweeper.config.schema import Config, Custom
from sweeper.core import seeds
from sweeper.core.stream import Stream
from sweeper.data.dataset import Dataset, Part
from sweeper.data.stream import Streamed
from sweeper.errors import InputError

CHUNK_BYTES = 32 * 2**20
CHUNK_ROWS = 2**16
"""How much of the training part is gathered in the epoch's order at a time; batches are slices of it."""


@dataclass(frozen=True)
class Rows:
    """Inputs ``[n, ...]`` and targets on the device.

    Attributes:
        x: inputs: float32, or int64 token numbers ``[n, length]``.
        y: targets: int64 classes ``[n]``, float32 values ``[n]``, or float32 0 and 1 ``[n, labels]``.
        weight: float32 ``[n]``, what each row's training loss is multiplied by; None: 1.
        other: targets of a second loss, for rows that are blends of two (mixup); None: there is none.
        other_weight: float32 ``[n]``, what the second loss is multiplied by.
    """

    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None = None
    other: torch.Tensor | None = None
    other_weight: torch.Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def held(self) -> int:
        """Bytes on the device."""
        return sum(part.numel() * part.element_size() for part in (self.x, self.y))

    def take(self, rows: torch.Tensor | slice) -> Rows:
        """Inputs and targets of these rows; of a slice, views."""
        return Rows(self.x[rows], self.y[rows])

    def gathered(self, pieces: Sequence[torch.Tensor]) -> Iterator[Rows]:
        """Inputs and targets of each piece of row numbers in turn."""
        for piece in pieces:
            yield Rows(self.x.index_select(0, piece), self.y.index_select(0, piece))

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """One after another; what one of them has, all have."""
        weight, other, other_weight = (
            torch.cat(found) if (found := [one for one in column if one is not None]) else None
            for column in zip(*((one.weight, one.other, one.other_weight) for one in parts), strict=True)
        )
        return cls(torch.cat([one.x for one in parts]), torch.cat([one.y for one in parts]), weight, other, other_weight)

    def weighted(self, *, mixed: bool) -> Rows:
        """The same rows with weights written out, and second targets that count nothing if ``mixed``, where there were none."""
        rows = self.scaled(1.0) if self.weight is None else self
        if not mixed or rows.other is not None:
            return rows
        return replace(rows, other=rows.y, other_weight=torch.zeros(len(rows), device=rows.x.device))

    def scaled(self, factor: float) -> Rows:
        """The same rows with weights times a factor."""
        weight = torch.full((len(self),), factor, device=self.x.device) if self.weight is None else self.weight * factor
        return replace(self, weight=weight, other_weight=None if self.other_weight is None else self.other_weight * factor)

    def split(self, size: int) -> Iterator[Rows]:
        """Views of so many rows each; the last may be shorter."""
        parts = (self.x, self.y, self.weight, self.other, self.other_weight)
        return map(Rows, *(repeat(None) if part is None else torch.split(part, size) for part in parts))


@dataclass(frozen=True)
class StreamedRows:
    """Rows whose targets are on the device, and whose inputs come there when they are needed."""

    x: Stream
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.y)

    @property
    def held(self) -> int:
        """Bytes on the device: targets, and the inputs of a chunk."""
        return self.y.numel() * self.y.element_size() + CHUNK_BYTES

    def take(self, rows: torch.Tensor | slice) -> Rows:
        """See ``Rows.take``."""
        return Rows(self.x[rows], self.y[rows])

    def gathered(self, pieces: Sequence[torch.Tensor]) -> Iterator[Rows]:
        """See ``Rows.gathered``."""
        for piece, x in zip(pieces, self.x.gathered(pieces), strict=True):
            yield Rows(x, self.y.index_select(0, piece))


Source: TypeAlias = Rows | StreamedRows
"""A part of the data, as training and evaluation see it."""


def rows_of(part: Part, device: torch.device) -> Source:
    """A part of the data: copied to the device, or what streams it there."""
    y = torch.tensor(part.y, device=device)
    if isinstance(part.x, Streamed):
        return StreamedRows(Stream(part.x, device), y)
    # Copied, not shared: a worker's arrays are read-only, which tensors cannot be.
    return Rows(torch.tensor(part.x, device=device), y)


@dataclass(frozen=True)
class Resident:
    """What training and validation need of a dataset, on the device once for all lanes; streamed inputs come there in chunks."""

    train: Source
    val: Source
    input_shape: tuple[int, ...]
    outputs: int
    task: str
    target_scale: float
    device: torch.device
    tokens: int = 0
    by_token: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Dataset, device: torch.device) -> Resident:
        """The training and the validation part on the device; the test part stays where it is."""
        train, val = rows_of(data.train, device), rows_of(data.val, device)
        return cls(train, val, data.input_shape, data.outputs, data.task, data.target_scale, device, data.tokens, data.synonyms)

    @cached_property
    def synonyms(self) -> torch.Tensor:
        """Int64 ``[tokens, 1 + most]``: how many synonyms a token has, and these."""
        table = torch.zeros(max(self.tokens, 1), 1 + max(map(len, self.by_token.values()), default=0), dtype=torch.int64)
        for token, others in self.by_token.items():
            table[token, : 1 + len(others)] = torch.tensor([len(others), *others])
        return table.to(self.device)

    @property
    def streamed(self) -> bool:
        """Whether inputs stay in files."""
        return isinstance(self.train, StreamedRows)

    @cached_property
    def class_weights(self) -> torch.Tensor:
        """What makes every class count alike, float32 [classes]: ``n / (classes * n_c)`` for a class with ``n_c`` of ``n`` training rows.

        Over the training part they are 1 in the mean, so the learning rate keeps its meaning.
        """
        counts = torch.bincount(self.train.y, minlength=self.outputs)
        return len(self.train) / (self.outputs * counts.clamp(min=1).float())


@dataclass(frozen=True)
class Plan:
    """How one epoch is cut: into full batches and a short last one of whatever is left; and so many batches at a time into steps.

    Where several batches make a step, the last step of an epoch takes those that are left.

    Attributes:
        rows: rows of the training part.
        used: rows used per epoch; one less than ``rows`` where the last batch would be a single row and the model has batch norm, which
            cannot take it, or is a custom one, which may have; and without a last batch that has fewer rows than there are processes.
        batch_size: rows that go through the model at a time.
        steps: optimizer steps per epoch.
        accumulate: batches per optimizer step.
    """

    rows: int
    used: int
    batch_size: int
    steps: int
    accumulate: int = 1

    @property
    def step_rows(self) -> int:
        """Rows per optimizer step: the effective batch."""
        return self.batch_size * self.accumulate

    @classmethod
    def of(cls, config: Config, rows: int) -> Plan:
        """The plan of this config for a training part of so many rows.

        Raises:
            InputError: the batch is larger than the training part, or a single row under batch norm; or a step takes more batches than
                there are.
        """
        size = config.training.batch_size
        batch_norm = getattr(config.model, "norm", "none") == "batch"
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
        # Nobody knows what a custom model holds, and one row less per epoch harms nothing.
        left = rows % size
        lone_row = left == 1 and (batch_norm or isinstance(config.model, Custom))
        used = rows - left if lone_row or left < config.resources.processes else rows
        batches, accumulate = -(-used // size), config.training.accumulate
        if accumulate > batches:
            raise InputError.of(
                "config",
                "training.accumulate",
                f"{accumulate}, but an epoch has {batches} batches of {size} rows",
                f"1 to {batches}",
                f"set training.accumulate: {batches} for full-batch training",
            )
        return cls(rows, used, size, -(-batches // accumulate), accumulate)


def order_of(plan: Plan, seed: int, epoch: int) -> torch.Tensor:
    """The rows of an epoch in the order of this trial, int64 [used], on the CPU."""
    return torch.randperm(plan.rows, generator=seeds.generator(seed, seeds.Stream.ORDER, epoch))[: plan.used]


def chunks_of(part: Source, plan: Plan, seed: int, epoch: int) -> Sequence[torch.Tensor]:
    """The rows of an epoch in the order of this trial, on the device, in chunks of whole steps."""
    order = order_of(plan, seed, epoch).to(part.y.device)
    row_bytes = max(1, part.x.shape[1:].numel() * part.x.element_size())
    steps = max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes) // plan.step_rows)
    return torch.split(order, steps * plan.step_rows)


def in_order(part: Source, plan: Plan, seed: int, epoch: int) -> Iterator[Rows]:
    """The training part in the order of this trial and epoch, in chunks of whole steps.

    Gathering a chunk at once makes every batch a view: no gather, no copy per step.
    """
    yield from part.gathered(chunks_of(part, plan, seed, epoch))
