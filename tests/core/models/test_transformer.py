"""The transformer encoder."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.schema import Transformer
from sweeper.core import models
from sweeper.core.dropout import Dropout
from sweeper.core.models.transformer import Attention, _cut
from sweeper.errors import InputError

SMALL: dict[str, Any] = {"width": 8, "heads": 2, "depth": 2, "dropout": 0.0, "attention_dropout": 0.0}


def rows(*shape: int) -> torch.Tensor:
    """Some numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_attention_is_torchs_own() -> None:
    """With the same weights it gives what ``nn.MultiheadAttention`` gives, padding and all."""
    own, theirs = Attention(8, 2, 0.0), nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": own.project.weight.data,
            "in_proj_bias": own.project.bias.data,
            "out_proj.weight": own.merge.weight.data,
            "out_proj.bias": own.merge.bias.data,
        }
    )
    x, counts = rows(3, 5, 8), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]).bool()
    assert torch.allclose(own(x, None), theirs(x, x, x)[0], atol=1e-6)
    assert torch.allclose(own(x, counts[:, None, None, :]), theirs(x, x, x, key_padding_mask=~counts)[0], atol=1e-6)


def test_written_out_attention_is_the_fused_one() -> None:
    """With a mask that keeps everything, as a stack hands it in, nothing changes."""
    attention = Attention(8, 2, 0.0).train()
    x, counts = rows(3, 5, 8), (torch.arange(5) < torch.tensor([[5], [2], [1]]))[:, None, None, :]
    for seen in (None, counts):
        expected = attention(x, seen)
        attention.drop.mask = torch.ones(3, 2, 5, 5)
        assert torch.allclose(attention(x, seen), expected, atol=1e-6)
        attention.drop.mask = None


def test_attention_dropout_drops_weights_in_training_only() -> None:
    """Some weights are zero, the others doubled; evaluation is that of an attention without dropout."""
    attention, x = Attention(8, 2, 0.5), rows(3, 5, 8)
    seen: list[torch.Tensor] = []
    attention.drop.register_forward_hook(lambda _module, inputs, out: seen.append(out / inputs[0]))
    attention.train()(x, None)
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
    plain = Attention(8, 2, 0.0)
    plain.load_state_dict(attention.state_dict())
    assert torch.equal(attention.eval()(x, None), plain.eval()(x, None))


@pytest.mark.parametrize("pooling", ["mean", "class"])
@pytest.mark.parametrize(("shape", "patch"), [((1, 8, 8), 4), ((3, 4, 6), 2), ((1, 8, 8), None), ((7, 3), 4)])
def test_images_and_series_go_in(shape: tuple[int, ...], patch: int | None, pooling: str) -> None:
    """In patches, row by row, or step by step; a row's output is the same alone and in a batch."""
    net = models.build(Transformer(**SMALL, patch=patch, pooling=pooling), shape, 3).eval()  # type: ignore[arg-type]
    x = rows(5, *shape)
    assert net(x).shape == (5, 3)
    assert torch.allclose(net(x)[2:3], net(x[2:3]), atol=1e-6)


def test_patches_are_squares_in_reading_order() -> None:
    """A 4 x 4 image of two channels in patches of 2: top left first, channel by channel inside."""
    image = torch.arange(32.0).view(1, 2, 4, 4)
    found = _cut(image, 2)
    assert found.shape == (1, 4, 8)
    assert found[0, 0].tolist() == [0, 1, 4, 5, 16, 17, 20, 21]
    assert found[0, 1].tolist() == [2, 3, 6, 7, 18, 19, 22, 23]


@pytest.mark.parametrize("pooling", ["mean", "class"])
def test_padding_changes_nothing(pooling: str) -> None:
    """What stands behind a text's last token is neither attended to nor averaged; an empty text has an output, too."""
    net = models.build(Transformer(**SMALL, pooling=pooling), (6,), 2, 20).eval()  # type: ignore[arg-type]
    text = torch.tensor([[3, 4, 5, 0, 0, 0]])
    before = net(text)
    with torch.no_grad():
        net.positions.weight[3:] += 1.0  # type: ignore[index, union-attr, operator]
        net.embedding.weight[0] += 1.0  # type: ignore[index, union-attr, operator]
    assert torch.allclose(net(text), before, atol=1e-6)
    assert not torch.allclose(net(torch.tensor([[3, 4, 6, 0, 0, 0]])), before, atol=1e-6)
    assert torch.isfinite(net(torch.zeros(1, 6, dtype=torch.int64))).all()


def test_positions_tell_steps_apart() -> None:
    """Without them an encoder with mean pooling could not see the order."""
    net = models.build(Transformer(**SMALL), (6,), 2, 20).eval()
    one, other = net(torch.tensor([[1, 2, 3, 4, 5, 6]])), net(torch.tensor([[6, 5, 4, 3, 2, 1]]))
    assert not torch.allclose(one, other, atol=1e-5)
    with torch.no_grad():
        net.positions.weight.zero_()  # type: ignore[union-attr, operator]
    one, other = net(torch.tensor([[1, 2, 3, 4, 5, 6]])), net(torch.tensor([[6, 5, 4, 3, 2, 1]]))
    assert torch.allclose(one, other, atol=1e-6)


def test_dropout_is_on_attention_weights_and_in_the_feed_forward() -> None:
    """Each with its own key; after the feed-forward's activation, and nowhere near the output."""
    net = models.build(Transformer(depth=1, dropout=0.1, attention_dropout=0.3), (1, 8, 8), 10)
    assert [(module.of, module.p) for module in net.modules() if isinstance(module, Dropout)] == [
        ("attention_dropout", 0.3),
        ("dropout", 0.1),
    ]
    order = [name for name, _ in net.layers[0].feed_forward.named_children()]  # type: ignore[index, union-attr]
    assert order == ["up", "bend", "drop", "down"]


@pytest.mark.parametrize(
    ("config", "shape", "path", "allowed"),
    [
        (Transformer(), (30,), "model.family", "mlp"),
        (Transformer(patch=3), (1, 8, 12), "model.patch", "1, 2, 4"),
        (Transformer(width=10, heads=4), (7, 3), "model.heads", "a divisor of the width"),
    ],
)
def test_what_does_not_fit_is_refused(config: Transformer, shape: tuple[int, ...], path: str, allowed: str) -> None:
    """With the key and what may stand there."""
    with pytest.raises(InputError) as caught:
        models.build(config, shape, 2)
    assert (caught.value.problems[0].path, caught.value.problems[0].allowed) == (path, allowed)
