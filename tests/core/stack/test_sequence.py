"""Models that are written out as batched layers, and those that are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.schema import Cnn, Mlp
from sweeper.core import models
from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import ACTIVATIONS
from sweeper.core.stack.layers import Pass
from sweeper.core.stack.sequence import SequenceForward
from sweeper.core.stack.slabs import ALIGN, Slabs

CPU = torch.device("cpu")


def layered(model: nn.Module, shape: tuple[int, ...] = (7,), dtype: torch.dtype = torch.float32) -> SequenceForward | None:
    """What is made of it."""
    return SequenceForward.of(model, shape, dtype)


def test_known_layers_in_a_row_are_written_out() -> None:
    """Our MLP on tables and on images, and any sequence of its layers."""
    assert layered(models.build(Mlp(norm="batch", dropout=0.1), (7,), 3)) is not None
    assert layered(models.build(Mlp(norm="layer", activation="gelu"), (1, 8, 8), 3), (1, 8, 8)) is not None
    assert layered(nn.Sequential(nn.Linear(7, 5, bias=False), nn.Tanh(), Dropout(0.5), nn.Linear(5, 2))) is not None


@pytest.mark.parametrize(
    "model",
    [
        models.build(Cnn(), (1, 8, 8), 3),
        nn.Sequential(nn.Linear(7, 5), nn.Softmax(-1), nn.Linear(5, 2)),
        nn.Sequential(nn.Linear(7, 5), nn.Dropout(0.5), nn.Linear(5, 2)),
        nn.Linear(7, 2),
    ],
)
def test_anything_else_is_not(model: nn.Module) -> None:
    """An unknown layer, torch's own dropout with its global noise, and a module that does not say what it consists of."""
    assert layered(model) is None


def test_images_that_are_not_flattened_first_are_not_written_out() -> None:
    """A linear layer over an image's last axis is something else."""
    assert layered(nn.Sequential(nn.Linear(8, 5)), (1, 8, 8)) is None


@pytest.mark.parametrize("width", [1, 7, 32, 50])
def test_every_layers_part_of_a_lane_is_a_whole_number_of_lines(width: int) -> None:
    """Batches are padded to so many rows that no vectorised kernel reaches from one lane into the next."""
    forward = layered(models.build(Mlp(width=width), (7,), 3))
    assert forward is not None
    assert all(forward.row_unit * size % ALIGN == 0 for size in (7, width, 3))


@pytest.mark.parametrize(
    ("norm", "activation"), [("none", "tanh"), ("batch", "relu"), ("layer", "gelu"), *(("none", a) for a in ACTIVATIONS)]
)
def test_each_lane_is_its_own_model(norm: Any, activation: Any) -> None:
    """Outputs, gradients and running statistics are those autograd finds for K models one by one; rows of padding come to nothing."""
    torch.manual_seed(0)
    nets = [models.build(Mlp(width=6, norm=norm, activation=activation), (7,), 3) for _ in range(3)]
    forward = layered(nets[0])
    assert forward is not None
    slabs = Slabs(nets[0], 3, CPU)
    for row, net in enumerate(nets):
        for buffer in net.buffers():
            buffer.add_(row)
        slabs.load(row, net.state_dict())
    x = torch.randn(3, 5, 7)
    padded = torch.cat([x, torch.zeros(3, forward.row_unit - 5, 7)], 1)
    weights = torch.randn(3, 5, 3)
    before = forward(padded, Pass(slabs.leaves, slabs.buffers, [], 5, training=False))
    out, found = forward.differentiate(padded, Pass(slabs.leaves, slabs.buffers, [], 5, training=True), lambda _: weights)
    gradients = dict(zip(slabs.leaves, found, strict=True))
    assert out.shape == (3, 5, 3)
    for row, net in enumerate(nets):
        torch.testing.assert_close(before[row], net.eval()(x[row]), rtol=1e-5, atol=1e-6)
        single = net.train()(x[row])
        (single * weights[row]).sum().backward()
        torch.testing.assert_close(out[row], single, rtol=1e-5, atol=1e-6)
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(gradients[name][row], parameter.grad, rtol=1e-4, atol=1e-5)
        for name, buffer in net.named_buffers():
            torch.testing.assert_close(slabs.buffers[name][row], buffer, rtol=1e-5, atol=1e-6)


def test_rows_stay_what_they_are_under_an_activation_in_place() -> None:
    """The batched layers change no input, whatever the module would do."""
    model = nn.Sequential(nn.ELU(inplace=True), nn.Linear(7, 2))
    forward = layered(model)
    assert forward is not None
    slabs, x = Slabs(model, 2, CPU), -torch.rand(2, 32, 7)
    before = x.clone()
    forward(x, Pass(slabs.leaves, slabs.buffers, [], 32, training=False))
    assert torch.equal(x, before)


def test_products_have_the_precision_and_norms_are_exact() -> None:
    """In bf16 a linear layer comes out as bf16, and a layer norm as float32."""
    for model, dtype in (
        (nn.Sequential(nn.Linear(7, 4)), torch.bfloat16),
        (nn.Sequential(nn.Linear(7, 4), nn.LayerNorm(4)), torch.float32),
    ):
        forward = layered(model, dtype=torch.bfloat16)
        assert forward is not None
        slabs = Slabs(model, 2, CPU)
        assert forward(torch.zeros(2, 32, 7), Pass(slabs.leaves, slabs.buffers, [], 32, training=True)).dtype == dtype
