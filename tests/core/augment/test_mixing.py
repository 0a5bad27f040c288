"""Mixup and CutMix."""

from __future__ import annotations

import pytest
import torch

from sweeper.core.augment.draws import Draws
from sweeper.core.augment.mixing import Mixed, mix

CPU = torch.device("cpu")
ROWS, SIZE = 203, 10
"""Twenty batches of ten and one of three."""


def mixed(x: torch.Tensor, y: torch.Tensor, mixup: float = 0.0, cutmix: float = 0.0) -> Mixed:
    """By the same numbers each time."""
    return mix(x, y, SIZE, mixup=mixup, cutmix=cutmix, draws=Draws(5, 1, CPU))


def partners() -> torch.Tensor:
    """The next row of each batch; the first one after the last."""
    rows = torch.arange(ROWS)
    return torch.cat([batch.roll(-1) for batch in rows.split(SIZE)])


def test_a_blend_and_its_targets_have_the_same_share() -> None:
    """Each row is its own and its partner's, by a share that is one for a batch; the larger share's target comes first."""
    x = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(0))
    y = torch.arange(ROWS)
    found = mixed(x, y, mixup=0.4)
    own = torch.where(found.y == y, found.share, 1.0 - found.share)
    torch.testing.assert_close(found.x, own.unsqueeze(1) * x + (1 - own).unsqueeze(1) * x[partners()])
    assert torch.equal(torch.minimum(found.y, found.other), torch.minimum(y, partners()))
    assert torch.equal(torch.maximum(found.y, found.other), torch.maximum(y, partners()))
    assert found.share.min() >= 0.5
    assert found.share.max() <= 1.0
    assert all(len(set(batch.tolist())) == 1 for batch in own.split(SIZE))
    assert len(set(found.share.tolist())) > 15


def test_cutmix_leaves_its_source_untouched() -> None:
    """Neither the rows nor their targets are written into: a pasted part is never pasted on."""
    x = torch.arange(ROWS).float().view(-1, 1, 1, 1).expand(ROWS, 1, 6, 9).contiguous()
    y = torch.arange(ROWS)
    before = x.clone()
    found = mixed(x, y, cutmix=1.0)
    assert torch.equal(x, before)
    assert torch.equal(y, torch.arange(ROWS))
    assert found.x.data_ptr() != x.data_ptr()
    for row, image in enumerate(found.x):
        assert set(image.flatten().tolist()) <= {row, int(partners()[row])}


def test_cutmix_corrects_the_share_by_the_area_really_pasted() -> None:
    """Where the rectangle ends at the image's border, the share is that of the pixels, and not the one that was drawn."""
    x = torch.arange(ROWS).float().view(-1, 1, 1, 1).expand(ROWS, 1, 6, 9).contiguous()
    found = mixed(x, torch.arange(ROWS), cutmix=1.0)
    for row, image in enumerate(found.x):
        kept = (image == row).float().mean().item()
        assert found.share[row].item() == pytest.approx(max(kept, 1 - kept), abs=1e-6)
        assert int(found.y[row]) == (row if kept >= 0.5 else int(partners()[row]))
    shares = {round(share, 6) for share in found.share.tolist()}
    assert len(shares) > 8
    assert all(share * 54 == pytest.approx(round(share * 54), abs=1e-3) for share in shares)


def test_what_is_pasted_is_one_rectangle() -> None:
    """All images of a batch get the same one."""
    x = torch.arange(ROWS).float().view(-1, 1, 1, 1).expand(ROWS, 1, 6, 9).contiguous()
    pasted = mixed(x, torch.arange(ROWS), cutmix=1.0).x[:, 0] != x[:, 0]
    for batch in pasted.split(SIZE):
        assert torch.equal(batch, batch[:1].expand_as(batch))
        one = batch[0]
        assert int(one.sum()) == int(one.any(1).sum()) * int(one.any(0).sum())


def test_a_batch_takes_one_of_the_two() -> None:
    """With both switched on, some batches are pasted into (whole numbers stay), the others blended."""
    x = torch.arange(ROWS).float().view(-1, 1, 1, 1).expand(ROWS, 1, 6, 9).contiguous()
    found = mixed(x, torch.arange(ROWS), mixup=1.0, cutmix=1.0)
    pasted = [bool((batch == batch.round()).all()) for batch in found.x.split(SIZE)]
    assert 4 < sum(pasted) < 17


def test_targets_of_any_shape_are_mixed() -> None:
    """Values of a regression, and rows of labels."""
    x = torch.randn(ROWS, 4)
    values = mixed(x, torch.arange(ROWS).float(), mixup=0.4)
    labels = mixed(x, torch.arange(ROWS).float().unsqueeze(1).expand(ROWS, 3).contiguous(), mixup=0.4)
    assert torch.equal(labels.y, values.y.unsqueeze(1).expand(ROWS, 3))
    assert torch.equal(labels.other, values.other.unsqueeze(1).expand(ROWS, 3))
