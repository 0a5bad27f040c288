"""A step recorded as a CUDA graph: one launch where there would be a few hundred."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

Tensors: TypeAlias = tuple[torch.Tensor, ...]

WARM_UP = 3
"""Runs before the recording, in which libraries choose their kernels and reserve memory."""


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[torch.Tensor | None, ...]
    outputs: Tensors


class Replayed:
    """A function of CUDA tensors (or None) that is recorded once per combination of shapes and replayed from then on.

    The function must not wait for the device, and must read whatever changes from call to call from its arguments or from tensors
    that are changed in place.

    Args:
        function: takes and returns tensors.
        state: all tensors that it changes; they are put back after the warm-up.
    """

    def __init__(self, function: Callable[..., Tensors], state: Sequence[torch.Tensor]) -> None:
        self._function = function
        self._state = state
        self._recordings: dict[tuple[torch.Size | None, ...], _Recording] = {}

    def __call__(self, *inputs: torch.Tensor | None) -> Tensors:
        """What the function would return, in tensors of the caller's own."""
        shapes = tuple(None if tensor is None else tensor.shape for tensor in inputs)
        if shapes not in self._recordings:
            self._recordings[shapes] = self._record(inputs)
        recording = self._recordings[shapes]
        for static, tensor in zip(recording.inputs, inputs, strict=True):
            if static is not None and tensor is not None:
                static.copy_(tensor)
        recording.graph.replay()
        return tuple(output.clone() for output in recording.outputs)

    def _record(self, inputs: tuple[torch.Tensor | None, ...]) -> _Recording:
        with warnings.catch_warnings():
            # The warm-up runs beside the stream on which the leaves were made; nothing of it is kept.
            warnings.filterwarnings("ignore", message="The AccumulateGrad node's stream does not match")
            return self._recorded(inputs)

    def _recorded(self, inputs: tuple[torch.Tensor | None, ...]) -> _Recording:
        static = tuple(None if tensor is None else tensor.clone() for tensor in inputs)
        before = [tensor.detach().clone() for tensor in self._state]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._function(*static)
        torch.cuda.current_stream().wait_stream(side)
        with torch.no_grad():
            for tensor, old in zip(self._state, before, strict=True):
                tensor.copy_(old)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._function(*static)
        return _Recording(graph, static, outputs)
