"""The small convolutional network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import Cnn
from sweeper.core import models
from sweeper.core.dropout import Dropout
from sweeper.core.models.cnn import Residual
from sweeper.errors import InputError


def test_channels_double_after_each_pooling_while_the_image_allows_it() -> None:
    """An 8 x 8 image is pooled three times; the other blocks keep size and channels."""
    net = models.build(Cnn(channels=4, depth=5), (1, 8, 8), 10)
    assert [module.out_channels for module in net.modules() if isinstance(module, nn.Conv2d)] == [4, 8, 16, 32, 32]
    assert sum(isinstance(module, nn.MaxPool2d) for module in net.modules()) == 3
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 2, 9), (2, 7, 5)])
def test_every_image_size_and_kernel_has_a_network(shape: tuple[int, int, int], kernel: int) -> None:
    """Odd, oblong and one-pixel images work."""
    net = models.build(Cnn(channels=2, depth=3, kernel=kernel, pooling="avg", hidden=4), shape, 3).eval()
    assert net(torch.zeros(2, *shape)).shape == (2, 3)


def leaves(net: nn.Module) -> list[nn.Module]:
    """Its modules without children, in order."""
    return [module for module in net.modules() if not list(module.children())]


def test_dropout_stands_after_each_block_and_after_the_hidden_layer() -> None:
    """Convolution, norm, activation, pooling, dropout; at the end hidden layer, activation, dropout, output."""
    found = leaves(models.build(Cnn(dropout=0.5, conv_dropout=0.25), (1, 8, 8), 10))
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, Dropout]
    assert [type(module) for module in found] == [*block, *block, nn.Flatten, nn.Linear, nn.ReLU, Dropout, nn.Linear]
    assert [(module.p, module.of) for module in found if isinstance(module, Dropout)] == [
        (0.25, "conv_dropout"),
        (0.25, "conv_dropout"),
        (0.5, "dropout"),
    ]


def test_a_residual_block_with_dead_convolutions_is_its_shortcut() -> None:
    """What comes in goes out, bent by the activation; where the channels differ, by way of a convolution of one pixel."""
    block = Residual(Cnn(residual=True, norm="none"), 4, 4).eval()
    x = torch.randn(2, 4, 5, 5)
    for parameter in block.body.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(x), x.relu())
    wider = Residual(Cnn(residual=True), 4, 6).eval()
    assert wider(x).shape == (2, 6, 5, 5)
    assert wider.shortcut.weight.shape == (6, 4, 1, 1)


def test_residual_blocks_take_the_place_of_plain_ones() -> None:
    """Two convolutions each and a shortcut where the channels change; pooling and channels are as before."""
    net = models.build(Cnn(channels=4, depth=3, residual=True), (4, 8, 8), 10)
    assert [(m.in_channels, m.out_channels) for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)] == [
        (4, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16),
    ]  # fmt: skip
    assert sum(isinstance(m, nn.MaxPool2d) for m in net.modules()) == 3
    assert net(torch.zeros(2, 4, 8, 8)).shape == (2, 10)


def test_global_pooling_makes_the_hidden_layer_independent_of_the_image() -> None:
    """One number per channel goes on, whatever the size."""
    for shape in [(1, 8, 8), (1, 32, 20)]:
        net = models.build(Cnn(channels=4, depth=2, global_pooling=True, hidden=7), shape, 3).eval()
        assert net.hidden[-3].weight.shape == (7, 8)  # type: ignore[index, union-attr]
        assert net(torch.zeros(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize("config", [Cnn(), Cnn(residual=True, global_pooling=True, conv_dropout=0.5), Cnn(norm="none", pooling="avg")])
def test_a_row_has_the_same_output_alone_and_in_a_batch(config: Cnn) -> None:
    """In evaluation rows do not know of each other."""
    net = models.build(config, (1, 8, 8), 10).eval()
    rows = torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(net(rows)[2:3], net(rows[2:3]), atol=1e-5)


def test_a_table_is_refused_with_the_key_and_the_remedy() -> None:
    """Rows that are not images name model.family and what to write instead."""
    with pytest.raises(InputError) as caught:
        models.build(Cnn(), (30,), 2)
    (problem,) = caught.value.problems
    assert problem.path == "model.family"
    assert "[30]" in problem.found
    assert problem.allowed == "mlp"
