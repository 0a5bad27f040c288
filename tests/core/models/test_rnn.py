"""The recurrent network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import Rnn
from sweeper.core import models
from sweeper.core.dropout import Dropout
from sweeper.errors import InputError

CELLS = ("gru", "lstm")


def rows(*shape: int) -> torch.Tensor:
    """Some numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_two_directions_are_torchs_own(cell: str, pooling: str) -> None:
    """One bidirectional layer gives what torch's bidirectional layer gives with the same weights."""
    net = models.build(Rnn(cell=cell, width=5, bidirectional=True, pooling=pooling), (6, 3), 2).eval()  # type: ignore[arg-type]
    theirs = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](3, 5, batch_first=True, bidirectional=True)
    own = dict(net.forwards[0].state_dict())  # type: ignore[index, union-attr]
    own |= {f"{name}_reverse": value for name, value in net.backwards[0].state_dict().items()}  # type: ignore[index, union-attr]
    theirs.load_state_dict(own)
    x = rows(4, 6, 3)
    states, _ = theirs(x)
    pooled = states.mean(1) if pooling == "mean" else torch.cat([states[:, -1, :5], states[:, 0, 5:]], 1)
    assert torch.allclose(net(x), net.output(net.hidden(pooled)), atol=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell: str, bidirectional: bool, pooling: str) -> None:
    """A text gives the same output however much padding follows it, in both directions and with either pooling; so does an empty one."""
    config = Rnn(cell=cell, width=5, depth=2, bidirectional=bidirectional, pooling=pooling)  # type: ignore[arg-type]
    net = models.build(config, (9,), 2, 20).eval()
    short = torch.tensor([[3, 4, 5], [6, 0, 0], [7, 0, 8]])
    long = torch.cat([short, torch.zeros(3, 6, dtype=torch.int64)], 1)
    assert torch.allclose(net(short), net(long), atol=1e-6)
    assert not torch.allclose(net(long)[0], net(torch.tensor([[3, 4, 6, 0, 0, 0, 0, 0, 0]]))[0], atol=1e-6)
    assert torch.isfinite(net(torch.zeros(1, 9, dtype=torch.int64))).all()


def test_an_image_is_read_row_by_row() -> None:
    """Its rows are the steps; a row of several channels is all their numbers."""
    net = models.build(Rnn(width=4), (2, 5, 3), 2).eval()
    image = rows(4, 2, 5, 3)
    series = torch.stack([torch.cat([image[:, 0, step], image[:, 1, step]], 1) for step in range(5)], 1)
    assert torch.equal(net(image), net(series))


def test_dropout_stands_between_layers_and_after_the_hidden_activation_only() -> None:
    """Nothing is dropped from the inputs, from the pooled state or right before the output."""
    net = models.build(Rnn(depth=3, dropout=0.4), (6, 3), 2)
    assert len(net.between) == 2  # type: ignore[arg-type]
    assert [type(module) for module in net.hidden] == [nn.Linear, nn.ReLU, Dropout]  # type: ignore[union-attr]
    assert [module.p for module in net.modules() if isinstance(module, Dropout)] == [0.4, 0.4, 0.4]
    assert not any(module.dropout for module in net.modules() if isinstance(module, nn.RNNBase))


def test_a_row_has_the_same_output_alone_and_in_a_batch() -> None:
    """In evaluation rows do not know of each other."""
    net = models.build(Rnn(depth=2, bidirectional=True, dropout=0.5), (6, 3), 2).eval()
    x = rows(7, 6, 3)
    assert torch.allclose(net(x)[2:3], net(x[2:3]), atol=1e-6)


def test_a_table_is_refused() -> None:
    """It has no steps."""
    with pytest.raises(InputError) as caught:
        models.build(Rnn(), (30,), 2)
    assert (caught.value.problems[0].path, caught.value.problems[0].allowed) == ("model.family", "mlp")
