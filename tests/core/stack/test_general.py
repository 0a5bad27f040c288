"""Models of any kind, mapped by torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import Cnn, Rnn
from sweeper.core import models
from sweeper.core.dropout import Dropout
from sweeper.core.stack.general import GeneralForward
from sweeper.core.stack.layers import Pass
from sweeper.core.stack.masks import drops
from sweeper.core.stack.slabs import Slabs

CPU = torch.device("cpu")


def stacked(nets: list[nn.Module], shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[GeneralForward, Slabs]:
    """The function and the memory of these models."""
    slabs = Slabs(nets[0], len(nets), CPU)
    for row, net in enumerate(nets):
        slabs.load(row, net.state_dict())
    return GeneralForward(nets[0], drops(nets[0], shape), dtype), slabs


@pytest.mark.parametrize("training", [False, True])
def test_each_lane_is_its_own_model(training: bool) -> None:
    """Outputs, gradients and running statistics of a CNN with batch norm are those of the models one by one."""
    torch.manual_seed(0)
    nets = [models.build(Cnn(channels=3, hidden=6), (1, 8, 8), 4).train() for _ in range(3)]
    for net in nets:
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.3)
    forward, slabs = stacked(nets, (1, 8, 8))
    x, weights = torch.randn(3, 9, 1, 8, 8), torch.randn(3, 9, 4)
    out = forward(x, Pass(slabs.leaves, slabs.buffers, [], 9, training))
    gradients = dict(zip(slabs.leaves, torch.autograd.grad((out * weights).sum(), list(slabs.leaves.values())), strict=True))
    for row, net in enumerate(nets):
        single = net.train(training)(x[row])
        (single * weights[row]).sum().backward()
        torch.testing.assert_close(out[row], single, rtol=1e-4, atol=1e-5)
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(gradients[name][row], parameter.grad, rtol=1e-3, atol=1e-4)
        for name, buffer in net.named_buffers():
            torch.testing.assert_close(slabs.buffers[name][row], buffer, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [Cnn(channels=3, hidden=6), Rnn(width=5, hidden=6)])
def test_a_single_model_need_not_be_mapped(config: Cnn | Rnn) -> None:
    """Its outputs, gradients, running statistics and activations are its own, also where torch could not map it."""
    torch.manual_seed(0)
    net = models.build(config, (1, 8, 8), 4).train()
    slabs = Slabs(net, 1, CPU)
    slabs.load(0, net.state_dict())
    forward = GeneralForward(net, drops(net, (1, 8, 8)), torch.float32, map_one=False)
    x = torch.randn(1, 9, 1, 8, 8)
    this = Pass(slabs.leaves, slabs.buffers, [], 9, training=True)
    out = forward(x, this)
    gradients = torch.autograd.grad(out.square().sum(), list(slabs.leaves.values()))
    single = net.train()(x[0])
    single.square().sum().backward()
    assert torch.equal(out[0], single)
    for gradient, name in zip(gradients, slabs.leaves, strict=True):
        assert torch.equal(gradient[0], net.get_parameter(name).grad), name
    for name, buffer in net.named_buffers():
        assert torch.equal(slabs.buffers[name][0], buffer), name
    with torch.no_grad():
        found = forward.activations(x, this)
    assert [layer.shape[:2] for layer in found] == [(1, 9)] * len(found) != []


class Twice(nn.Module):
    """Its dropout layers lie in another order than the way through them, and one is passed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.late, self.early = Dropout(0.9), Dropout(0.9)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps rows to rows."""
        return self.late(self.early(x) + self.scale)


def test_each_dropout_layer_gets_its_own_lanes_mask() -> None:
    """In the order of the way through; without masks nothing is dropped, whatever the models' own probability."""
    forward, slabs = stacked([Twice(), Twice()], (3,))
    ones = torch.ones(2, 1, 3)
    early, late = torch.tensor([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]), torch.tensor([[[1.0, 0.0, 10.0]], [[0.0, 1.0, 100.0]]])
    found = forward(ones, Pass(slabs.leaves, slabs.buffers, [early, late], 1, training=True))
    assert found.tolist() == [[[2.0, 0.0, 40.0]], [[0.0, 6.0, 700.0]]]
    for training in (True, False):
        assert torch.equal(forward(ones, Pass(slabs.leaves, slabs.buffers, [], 1, training)), ones + 1)


def test_products_have_the_precision_and_norms_are_exact() -> None:
    """In bf16 convolutions and linear layers, with their biases, compute in bf16, batch norm in float32 with float32 parameters."""
    seen: dict[str, torch.dtype] = {}

    class Spy(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen[self.name] = x.dtype
            return x

    net = nn.Sequential(nn.Conv2d(1, 2, 3), Spy("convolution"), nn.BatchNorm2d(2), Spy("norm"), nn.Flatten(), nn.Linear(72, 3))
    forward, slabs = stacked([net, net], (1, 8, 8), torch.bfloat16)
    out = forward(torch.randn(2, 5, 1, 8, 8), Pass(slabs.leaves, slabs.buffers, [], 5, training=True))
    assert {*seen.values(), out.dtype} == {torch.bfloat16}
    assert slabs.buffers["2.running_var"].dtype == torch.float32
    assert not (slabs.buffers["2.running_var"] == slabs.buffers["2.running_var"].bfloat16()).all()


def test_the_model_itself_is_left_as_it_was() -> None:
    """Its probabilities, its values and its mode."""
    net = Twice().eval()
    forward, slabs = stacked([net, net], (3,))
    forward(torch.ones(2, 1, 3), Pass(slabs.leaves, slabs.buffers, [], 1, training=True))
    assert (net.early.p, net.training, net.scale.device) == (0.9, False, CPU)
    assert net.early.mask is None
