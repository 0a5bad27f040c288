"""The small convolutional network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import Cnn
from sweeper.core import models
from sweeper.core.dropout import Dropout
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


def test_dropout_stands_only_after_the_hidden_layer() -> None:
    """The last modules are hidden layer, activation, dropout, output."""
    net = models.build(Cnn(dropout=0.5), (1, 8, 8), 10)
    kinds = [type(module) for module in net.modules() if not list(module.children())]
    assert kinds[-4:] == [nn.Linear, nn.ReLU, Dropout, nn.Linear]
    assert kinds.count(Dropout) == 1


def test_a_table_is_refused_with_the_key_and_the_remedy() -> None:
    """Rows that are not images name model.family and what to write instead."""
    with pytest.raises(InputError) as caught:
        models.build(Cnn(), (30,), 2)
    (problem,) = caught.value.problems
    assert problem.path == "model.family"
    assert "[30]" in problem.found
    assert problem.allowed == "mlp"
