"""Changes of token rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sweeper.core.augment import text
from sweeper.core.augment.draws import Draws
from sweeper.data.text import UNKNOWN

CPU = torch.device("cpu")


def draws() -> Draws:
    """The same numbers each time."""
    return Draws(3, 1, CPU)


def some(n: int = 300, length: int = 12) -> torch.Tensor:
    """Rows of 1 to 12 different tokens from 2 on, in rising order, and padding."""
    tokens = torch.arange(2, length + 2).expand(n, length)
    return tokens * (torch.arange(length) < (torch.arange(n) % length + 1).unsqueeze(1))


TABLE = torch.zeros(30, 4, dtype=torch.int64)
"""Token 4 has three synonyms, token 7 one."""
TABLE[4], TABLE[7] = torch.tensor([3, 20, 21, 22]), torch.tensor([1, 20, 0, 0])

CHANGES: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "delete": lambda x, p: text.delete(x, p, draws()),
    "insert": lambda x, p: text.insert(x, p, draws()),
    "swap": lambda x, p: text.swap(x, p, draws()),
    "mask": lambda x, p: text.mask(x, p, draws()),
    "synonym": lambda x, p: text.synonym(x, p, TABLE, draws()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leaves_its_input_alone_and_padding_at_the_end(change: str) -> None:
    """A new int64 tensor of the same shape, no row empty, nothing after the padding; with probability 0 what went in."""
    x = some()
    found = CHANGES[change](x, 0.3)
    assert torch.equal(x, some())
    assert (found.shape, found.dtype) == (x.shape, torch.int64)
    assert not torch.equal(found, x)
    real = found != 0
    assert real[:, 0].all()
    assert (real[:, 1:] <= real[:, :-1]).all()
    assert torch.equal(CHANGES[change](x, 0.0), x)


def test_what_is_not_deleted_keeps_its_order() -> None:
    """Each row is a part of the old one, in order; about a fifth is gone; a row never loses everything."""
    x = some()
    found = text.delete(x, 0.2, draws())
    for one, old in zip(found.tolist(), x.tolist(), strict=True):
        kept = [token for token in one if token]
        assert kept == [token for token in old if token in kept and token]
    assert (found != 0).sum() / (x != 0).sum() == pytest.approx(0.8, abs=0.06)
    assert (text.delete(x, 0.999, draws()) != 0).sum(1).min() == 1


def test_what_is_inserted_is_a_token_of_the_row() -> None:
    """The old tokens keep their order, as far as they fit; new ones are copies of the row's own."""
    x = some()
    found = text.insert(x, 0.3, draws())
    longer = 0
    for one, old in zip(found.tolist(), x.tolist(), strict=True):
        assert set(one) <= set(old) | {0}
        rest = iter([token for token in one if token])
        fitting = 0
        for token in [token for token in old if token]:
            if all(other != token for other in rest):
                break
            fitting += 1
        assert fitting == sum(map(bool, old)) or one[-1] != 0
        longer += sum(map(bool, one)) > sum(map(bool, old))
    assert longer > 100


def test_a_swap_moves_tokens_within_their_row() -> None:
    """Each row holds the tokens that it held; about so many as asked for may have moved."""
    x = some()
    found = text.swap(x, 0.3, draws())
    assert torch.equal(found.sort(1).values, x.sort(1).values)
    moved = (found != x).sum() / (x != 0).sum()
    assert 0.1 < moved < 0.3


def test_a_masked_token_is_the_unknown_one() -> None:
    """Nothing else changes; the share is the one asked for."""
    x = some()
    found = text.mask(x, 0.2, draws())
    changed = found != x
    assert (found[changed] == UNKNOWN).all()
    assert changed.sum() / (x != 0).sum() == pytest.approx(0.2, abs=0.04)


def test_a_synonym_is_one_of_the_tokens_own() -> None:
    """Any of them alike, about as often as asked for; a token without synonyms, and padding, stay."""
    x = some()
    found = text.synonym(x, 0.5, TABLE, draws())
    changed = found != x
    assert set(x[changed].tolist()) == {4, 7}
    assert (found[x == 4].unique().tolist(), found[x == 7].unique().tolist()) == ([4, 20, 21, 22], [7, 20])
    assert changed[x == 4].float().mean().item() == pytest.approx(0.5, abs=0.08)
    new = found[changed & (x == 4)]
    assert min((new == token).float().mean().item() for token in (20, 21, 22)) > 0.2
