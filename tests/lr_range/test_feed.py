"""Batches for a model that is handed in."""

from __future__ import annotations

from collections import UserDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader

from sweeper.errors import InputError
from sweeper.lr_range.feed import moved
from tests.lr_range.handing import mlp, short

CPU = torch.device("cpu")


def test_a_list_is_taken_in_a_random_order(loader: DataLoader[Any]) -> None:
    """Every batch once in each pass, in another order every time."""
    model, batches = mlp(), list(loader)[:6]
    taken: list[int] = []

    def step(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        taken.append(next(number for number, one in enumerate(batches) if torch.equal(one[0], batch[0])))
        return cross_entropy(net(batch[0]), batch[1])

    short(model, SGD(model.parameters()), data=batches, step_fn=step)
    assert sorted(taken[:6]) == sorted(taken[6:]) == list(range(6))
    assert taken[:6] != taken[6:]


def test_batches_are_moved_however_deep() -> None:
    """Tensors in mappings, tuples (named ones too), lists and data classes are moved; everything else is left."""
    Pair = namedtuple("Pair", "x y")

    @dataclass
    class Row:
        x: torch.Tensor
        name: str

    meta = torch.device("meta")
    one = torch.ones(1)
    batch = {"a": [one, (one, "text")], "b": Pair(one, None), "c": Row(one, "r"), "d": UserDict(e=one), "f": 3}
    found = moved(batch, meta)
    tensors = [found["a"][0], found["a"][1][0], found["b"].x, found["c"].x, found["d"]["e"]]
    assert all(tensor.is_meta for tensor in tensors)
    assert (found["a"][1][1], found["b"].y, found["c"].name, found["f"]) == ("text", None, "r", 3)
    assert moved(one, CPU) is one


def test_an_iterator_that_ends_is_told_with_its_length(loader: DataLoader[Any]) -> None:
    """One that lasts is enough; one that does not says how far it went and what to pass; so does one that is empty."""
    model = mlp()
    optimizer = SGD(model.parameters())
    assert short(model, optimizer, cross_entropy, iter(loader)).cost_steps == 12
    batches = list(loader)
    with pytest.raises(InputError, match=r"ended after 5 of 24 batches.*iter\(loader\).*no more than 5"):
        short(model, optimizer, cross_entropy, iter(batches[:5]), accumulate=2)
    with pytest.raises(InputError, match="list without a batch"):
        short(model, optimizer, cross_entropy, [])
