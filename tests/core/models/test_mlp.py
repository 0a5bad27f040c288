"""The multilayer perceptron."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import Mlp
from sweeper.core import models
from sweeper.core.dropout import Dropout
from sweeper.errors import InputError


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_blocks_are_linear_norm_activation_dropout(norm: str) -> None:
    """Every hidden block has its parts in this order, and nothing stands between the last block and the output."""
    net = models.build(Mlp(width=5, depth=2, norm=norm, dropout=0.5, activation="tanh"), (3,), 4)
    kinds = [type(module) for module in net.modules() if not list(module.children())]
    middle = {"none": [], "batch": [nn.BatchNorm1d], "layer": [nn.LayerNorm]}[norm]
    assert kinds == [nn.Flatten, *([nn.Linear, *middle, nn.Tanh, Dropout] * 2), nn.Linear]


def test_widths_take_the_place_of_width_and_depth() -> None:
    """One hidden layer per entry; equal entries are width and depth."""
    net = models.build(Mlp(width=99, depth=9, widths=[7, 5, 3]), (4,), 2)
    assert [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)] == [(4, 7), (7, 5), (5, 3), (3, 2)]
    same = models.build(Mlp(width=6, depth=2), (4,), 2).state_dict(), models.build(Mlp(widths=[6, 6]), (4,), 2).state_dict()
    assert [tensor.shape for tensor in same[0].values()] == [tensor.shape for tensor in same[1].values()]


def test_without_hidden_layers_it_is_linear() -> None:
    """Depth 0 leaves the output layer, which the baseline is, too: nothing is left of width, norm and dropout."""
    net = models.build(Mlp(width=99, depth=0, norm="batch", dropout=0.5), (2, 3), 4)
    assert [type(module) for module in net.modules() if not list(module.children())] == [nn.Flatten, nn.Linear]
    assert net(torch.zeros(5, 2, 3)).shape == (5, 4)


def test_tokens_are_refused_with_families_that_take_them() -> None:
    """Their numbers mean nothing to a linear layer."""
    with pytest.raises(InputError) as caught:
        models.build(Mlp(), (12,), 2, 100)
    assert caught.value.problems[0].path == "model.family"
    assert "12 tokens" in caught.value.problems[0].found


def test_images_are_flattened() -> None:
    """Rows of any shape go in; one number per class comes out."""
    net = models.build(Mlp(width=5), (1, 8, 8), 10)
    assert net(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_dropout_doubles_what_it_keeps_and_is_off_in_evaluation() -> None:
    """With p = 0.5 a kept unit counts twice in training; evaluation keeps all as they are."""
    net = models.build(Mlp(width=1000, depth=1, dropout=0.5), (2,), 1)
    dropout = next(module for module in net.modules() if isinstance(module, Dropout))
    ones = torch.ones(1000)
    net.train()
    assert set(dropout(ones).tolist()) == {0.0, 2.0}
    net.eval()
    assert torch.equal(dropout(ones), ones)


def test_batch_norm_normalises_a_batch() -> None:
    """The oracle: [1, 3, 5, 7] becomes [-1.342, -0.447, 0.447, 1.342]."""
    net = models.build(Mlp(width=1, depth=1, norm="batch"), (1,), 1)
    norm = next(module for module in net.modules() if isinstance(module, nn.BatchNorm1d))
    found = norm(torch.tensor([[1.0], [3.0], [5.0], [7.0]])).squeeze(1)
    assert found.tolist() == pytest.approx([-1.342, -0.447, 0.447, 1.342], abs=1e-3)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_a_row_has_the_same_output_alone_and_in_a_batch(norm: str) -> None:
    """In evaluation rows do not know of each other."""
    net = models.build(Mlp(width=16, norm=norm, dropout=0.3), (4,), 3).eval()
    rows = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(net(rows)[2:3], net(rows[2:3]), atol=1e-6)
