"""Counts what makes the host wait for the device."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.nonzero.default)


class Syncs(TorchDispatchMode):
    """Counts the operations that bring a number from the device to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Counts and goes on."""
        self.count += func in WAITS
        return func(*args, **(kwargs or {}))


@contextmanager
def no_syncs() -> Iterator[None]:
    """Within it a GPU's own watch makes an error of whatever waits for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the watch is a prototype
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
