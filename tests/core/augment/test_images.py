"""Changes of images."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sweeper.config.schema import Augment
from sweeper.core.augment import images
from sweeper.core.augment.draws import Draws, Use

CPU = torch.device("cpu")


def draws() -> Draws:
    """The same numbers each time."""
    return Draws(3, 1, CPU)


def some(n: int = 6, channels: int = 2, height: int = 8, width: int = 12) -> torch.Tensor:
    """Images that are higher or wider than the other way, each pixel another number."""
    return torch.arange(n * channels * height * width).view(n, channels, height, width) / 100.0 - 3.0


CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "crop": lambda x: images.crop(x, 2, draws()),
    "affine": lambda x: images.affine(x, Augment(rotate=15, translate=0.1, zoom=0.1, shear=10, resized_crop=0.2), draws()),
    "flip": lambda x: images.flip(x, 0.5, draws()),
    "color_jitter": lambda x: images.color_jitter(x, 0.2, draws()),
    "erase": lambda x: images.erase(x, 0.9, draws()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leaves_its_input_alone_and_keeps_the_shape(change: str) -> None:
    """A new tensor of the same shape and type comes out, other than what went in."""
    x = some()
    before = x.clone()
    found = CHANGES[change](x)
    assert torch.equal(x, before)
    assert (found.shape, found.dtype, found.is_contiguous()) == (x.shape, x.dtype, True)
    assert not torch.equal(found, x)


def test_a_crop_is_a_part_of_the_padded_image() -> None:
    """Every result is one of the 25 windows, the same one for all channels, and several are met."""
    x = some(n=40)
    padded = torch.nn.functional.pad(x, (2,) * 4)
    found = images.crop(x, 2, draws())
    met = set()
    for image, around in zip(found, padded, strict=True):
        places = [(top, left) for top in range(5) for left in range(5) if torch.equal(image, around[:, top : top + 8, left : left + 12])]
        assert places
        met.add(places[0])
    assert len(met) > 10


def test_a_flip_mirrors_left_and_right() -> None:
    """About half of the images are mirrored, the others are as they were."""
    x = some(n=60)
    found = images.flip(x, 0.5, draws())
    mirrored = [torch.equal(one, other.flip(-1)) for one, other in zip(found, x, strict=True)]
    assert all(m or torch.equal(one, other) for m, one, other in zip(mirrored, found, x, strict=True))
    assert 15 < sum(mirrored) < 45


def test_no_affine_change_is_the_image_itself() -> None:
    """With every strength at 0 sampling gives the pixels back."""
    torch.testing.assert_close(images.affine(some(), Augment(), draws()), some(), rtol=1e-4, atol=1e-4)


def rotated(degrees: float, height: int, width: int) -> torch.Tensor:
    """A bar along the middle row, rotated by exactly so much."""

    class Fixed(Draws):
        def uniform(self, use: Use, *shape: int) -> torch.Tensor:  # noqa: ARG002 - the signature of Draws
            u = torch.full(shape, 0.5)
            u[:, 0] = 1.0
            return u

    bar = torch.zeros(1, 1, height, width)
    bar[:, :, height // 2] = 1.0
    return images.affine(bar, Augment(rotate=degrees), Fixed(0, 1, CPU))[0, 0]


@pytest.mark.parametrize(("height", "width"), [(9, 9), (9, 15)])
def test_a_rotation_is_one_in_pixels(height: int, width: int) -> None:
    """A quarter turn makes the middle row the middle column, also of an image that is not square."""
    found = rotated(90.0, height, width)
    assert found[:, width // 2] == pytest.approx(torch.ones(height), abs=1e-3)
    found[:, width // 2] = 0.0
    assert found.abs().max() < 1e-3


def test_a_resized_crop_keeps_most_of_the_image_and_nothing_else() -> None:
    """An image of ones stays one of ones: what is sampled lies within it. A ramp keeps at least 0.8 of its length times its height."""
    ones = torch.ones(50, 1, 16, 16)
    torch.testing.assert_close(images.affine(ones, Augment(resized_crop=0.2), draws())[:, :, 1:-1, 1:-1], ones[:, :, 1:-1, 1:-1])
    ramp = torch.linspace(0, 1, 64).expand(50, 1, 64, 64)
    both = [images.affine(one, Augment(resized_crop=0.2), draws())[:, 0] for one in (ramp, ramp.transpose(2, 3))]
    wide = (both[0][:, 32, 62] - both[0][:, 32, 1]) / (61 / 63)
    high = (both[1][:, 62, 32] - both[1][:, 1, 32]) / (61 / 63)
    assert (wide * high).min() > 0.79
    assert (wide * high).max() < 1.01
    assert (wide * high).std() > 0.02
    assert (wide / high).max() < images.ASPECT + 0.01


def test_colour_jitter_moves_brightness_and_contrast_within_bounds() -> None:
    """Of an image of mean m and deviation s, the mean moves by at most 0.2 and the deviation by at most a fifth."""
    x = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = images.color_jitter(x, 0.2, draws())
    moved = found.mean((1, 2, 3)) - x.mean((1, 2, 3))
    ratio = found.std((1, 2, 3)) / x.std((1, 2, 3))
    assert moved.abs().max() <= 0.2 + 1e-5
    assert (ratio - 1).abs().max() <= 0.2 + 1e-5
    assert moved.std() > 0.08
    assert ratio.std() > 0.08


def test_what_is_erased_is_one_rectangle_of_zeros() -> None:
    """Between 2% and 33% of the area (to whole pixels) of about a fifth of the images, all channels alike; the rest is untouched."""
    x = torch.ones(500, 2, 16, 20)
    found = images.erase(x, 0.2, draws())
    erased = found == 0
    assert torch.equal(erased[:, 0], erased[:, 1])
    assert torch.equal(found, 1.0 - erased.float())
    hit = erased[:, 0].any(-1).any(-1)
    assert 70 < int(hit.sum()) < 130
    shares = erased[hit, 0].float().mean((1, 2))
    assert 0.01 < shares.min() < shares.max() < 0.37
    for one in erased[hit, 0]:
        rows, columns = one.any(1), one.any(0)
        assert int(one.sum()) == int(rows.sum()) * int(columns.sum())
