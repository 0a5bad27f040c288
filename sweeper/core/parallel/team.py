"""The processes that train a trial together, as one of them sees them, and what they tell each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

HOST = "127.0.0.1"
"""All processes of a trial are on one machine."""

LOOPBACK = ("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
"""Gloo would look up this machine's name, which is not everywhere an address of its own."""


@dataclass(frozen=True)
class Team:
    """One process's place among those that train a trial.

    Everything here is a collective: all processes call the same, in the same order.

    Attributes:
        rank: 0 leads.
        size: how many processes there are.
        device: of this process.
    """

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, rank: int, size: int, device: torch.device, port: int, listen: int | None = None) -> Team:
        """Meets the others: gloo on CPUs, NCCL on GPUs.

        Args:
            rank: of this process.
            size: how many there are.
            device: of this process.
            port: where rank 0 listens, on this machine alone.
            listen: in rank 0 the socket that it listens on.
        """
        if device.type == "cuda":
            torch.cuda.set_device(device)
        store = distributed.TCPStore(  # type: ignore[attr-defined] # it is there, and not exported
            HOST, port, size, rank == 0, wait_for_workers=False, master_listen_fd=listen
        )
        with _loopback():
            distributed.init_process_group(backend(device), store=store, rank=rank, world_size=size)
        return cls(rank, size, device)

    def part(self, n: int) -> slice:
        """This process's share of ``n`` things in a row; shares differ by one at most."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        distributed.all_reduce(tensor)
        return tensor

    def gathered(self, tensor: torch.Tensor) -> torch.Tensor:
        """What each process has ``[size, *shape]``, by rank."""
        every = tensor.new_empty(self.size, *tensor.shape)
        distributed.all_gather(list(every.unbind()), tensor.contiguous())
        return every

    def spread(self, tensor: torch.Tensor) -> torch.Tensor:
        """``gathered``, with a gradient: what the losses of all processes want of each one's numbers."""
        found: torch.Tensor = _Spread.apply(tensor, self)  # type: ignore[no-untyped-call]
        return found


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, team: Team) -> torch.Tensor:
        ctx.team = team
        return team.gathered(tensor)

    @staticmethod
    def backward(ctx: Any, wanted: torch.Tensor) -> tuple[torch.Tensor, None]:
        team: Team = ctx.team
        return team.add(wanted.contiguous())[team.rank], None


def backend(device: torch.device) -> str:
    """What carries the numbers between such devices."""
    return "nccl" if device.type == "cuda" else "gloo"


@contextmanager
def _loopback() -> Iterator[None]:
    name, value = LOOPBACK
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
