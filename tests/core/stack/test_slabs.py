"""The memory of K models."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.core.stack.slabs import ALIGN, Slabs

CPU = torch.device("cpu")


def net() -> nn.Module:
    """Odd sizes, and buffers of two types."""
    return nn.Sequential(nn.Linear(7, 13), nn.BatchNorm1d(13), nn.Linear(13, 3))


def test_a_row_is_a_models_state() -> None:
    """What is loaded is read again, with its names in order, and no other row changes."""
    slabs, models = Slabs(net(), 3, CPU), [net() for _ in range(3)]
    models[1](torch.randn(5, 7))  # moves the running statistics and the count
    for row in (0, 2, 1):
        slabs.load(row, models[row].state_dict())
    for row, model in enumerate(models):
        found, expected = slabs.state(row), model.state_dict()
        assert list(found) == list(expected)
        assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in expected.items())


def test_every_tensor_begins_at_a_whole_number_of_lines() -> None:
    """In every lane, and matrices lie before vectors."""
    slabs = Slabs(net(), 3, CPU)
    assert slabs.values.shape[1] % ALIGN == 0
    begins = {name: leaf.storage_offset() for name, leaf in slabs.leaves.items()}
    assert all(begin % ALIGN == 0 for begin in begins.values())
    assert all((begin < slabs.decayed) == (slabs.leaves[name].ndim > 2) for name, begin in begins.items())


def test_gradients_come_to_their_tensors_places() -> None:
    """Autograd differentiates by the views, and the gradient's norm is that of all tensors."""
    slabs = Slabs(net(), 2, CPU)
    factors = [float(n + 1) for n in range(len(slabs.leaves))]
    loss = sum((factor * leaf.sum() for factor, leaf in zip(factors, slabs.leaves.values(), strict=True)), torch.zeros(()))
    slabs.take_gradients(torch.autograd.grad(loss, list(slabs.leaves.values())))
    squared = sum(factor**2 * leaf[0].numel() for factor, leaf in zip(factors, slabs.leaves.values(), strict=True))
    assert torch.allclose(slabs.gradient.square().sum(1), torch.tensor([squared, squared]))
    slabs.values += slabs.gradient  # no other place than the parameters' is moved by it
    assert all((leaf == factor).all() for factor, leaf in zip(factors, slabs.leaves.values(), strict=True))


def test_loading_cleans_what_is_between_the_tensors() -> None:
    """A lane that has diverged leaves nothing behind."""
    slabs = Slabs(net(), 2, CPU)
    slabs.values[0] = torch.nan
    slabs.gradient[0] = torch.nan
    slabs.load(0, net().state_dict())
    assert slabs.values[0].isfinite().all()
    assert not slabs.gradient[0].any()
