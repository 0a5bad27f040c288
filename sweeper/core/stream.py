"""Inputs that stay in files: what a step or an evaluation needs of them is read, prepared and brought to the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from sweeper.data.stream import Streamed
from sweeper.errors import InfrastructureError

AHEAD = 2
"""Pieces that each process reads ahead."""


@contextmanager
def readers_alive() -> Iterator[None]:
    """Inside it, the end of a reading process is no fault of the trial's: torch raises it wherever the main thread happens to be.

    Raises:
        InfrastructureError: a reading process was killed, or died; for want of memory, mostly.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        told = str(error).partition("\n")[0]
        raise InfrastructureError(f"a process that read rows ahead has ended ({told}); is there memory, and room in /dev/shm?") from error


class _Rows(TorchDataset[Any]):
    """A whole piece at a time, wherever the loader runs it."""

    def __init__(self, x: Streamed) -> None:
        self._x = x

    def __getitems__(self, rows: Any) -> torch.Tensor:
        return torch.from_numpy(self._x[rows])


class Stream:
    """Inputs ``[n, ...]`` of a part, as far as a tensor on the device: shape, type, rows by index, and all rows in pieces.

    Args:
        x: what reads and prepares the rows.
        device: where they are wanted.

    Attributes:
        source: the former.
        device: the latter.
    """

    def __init__(self, x: Streamed, device: torch.device) -> None:
        self.source = x
        self.device = device
        self.shape = torch.Size(x.shape)
        self.dtype = torch.int64 if x.dtype.kind == "i" else torch.float32

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> torch.Tensor:
        rows = index.cpu().numpy() if isinstance(index, torch.Tensor) else index
        return torch.as_tensor(self.source[rows], device=self.device)

    def element_size(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    def narrow(self, axis: int, begin: int, length: int) -> Stream:
        """So many rows from one on, none of which is read yet; ``axis`` is 0."""
        if axis:
            raise ValueError("only rows can be picked")
        return Stream(replace(self.source, rows=self.source.rows[begin : begin + length]), self.device)

    def index_select(self, axis: int, rows: torch.Tensor) -> torch.Tensor:
        """The rows of these numbers; ``axis`` is 0."""
        if axis:
            raise ValueError("only rows can be picked")
        return self[rows]

    def split(self, size: int) -> Iterator[torch.Tensor]:
        """All rows in their order, so many at a time."""
        return self.gathered(torch.split(torch.arange(len(self)), size))

    def gathered(self, pieces: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """The rows of each piece of row numbers, read ahead by processes of the loader if there are any; they end with the iterator."""
        workers = min(self.source.workers, len(pieces))
        numbers: Any = [piece.cpu().numpy() for piece in pieces]  # arrays in place of torch's lists: millions of rows are usual
        loader = DataLoader(
            _Rows(self.source),
            batch_sampler=numbers,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=AHEAD if workers else None,
            generator=torch.Generator(),  # without one it would draw from torch's own, which belongs to the trial
        )
        for x in loader:
            yield x.to(self.device, non_blocking=True)


def _as_it_is(piece: Any) -> Any:
    return piece
