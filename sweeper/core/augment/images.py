"""Changes of images ``[n, channels, height, width]`` (float32, standardised, so that 0 is the mean grey); none writes into its input."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from sweeper.config.schema import Augment
from sweeper.core.augment.draws import Draws, Use

ASPECT = 4 / 3
"""A resized crop is at most so many times as wide as high, or as high as wide, before it is brought to the old size."""

ERASED = (0.02, 0.33)
ERASED_ASPECT = 10 / 3
"""Shares of the area and the longest shape of an erased rectangle (Zhong et al., 2020)."""


def crop(x: torch.Tensor, padding: int, draws: Draws) -> torch.Tensor:
    """A random part of the old size of each image after so many pixels of zeros were put around it."""
    n, _, height, width = x.shape
    begin = (draws.uniform(Use.CROP, n, 2) * (2 * padding + 1)).long()
    rows = begin[:, :1] + torch.arange(height, device=x.device)
    columns = begin[:, 1:] + torch.arange(width, device=x.device)
    around = functional.pad(x, (padding,) * 4)
    images = torch.arange(n, device=x.device).view(n, 1, 1)
    # Indices around a slice put its axis last.
    return around[images, :, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2).contiguous()


def affine(x: torch.Tensor, augment: Augment, draws: Draws) -> torch.Tensor:
    """Rotation, shift, zoom, shear and resized crop of each image as one bilinear sampling; zeros come in from outside."""
    n, _, height, width = x.shape
    u = draws.uniform(Use.AFFINE, n, 9)
    signed = u * 2.0 - 1.0
    angle = signed[:, 0] * math.radians(augment.rotate)
    shear = torch.tan(signed[:, 1] * math.radians(augment.shear))
    size = 1.0 + signed[:, 2] * augment.zoom
    # How much of height and width is sampled, as shares, and from where: what the crop leaves lies within the image.
    side = torch.sqrt(1.0 - u[:, 5] * augment.resized_crop)
    stretch = torch.exp(signed[:, 6] * (math.log(ASPECT) / 2.0)).clamp(side, 1.0 / side)
    high, wide = side / stretch, side * stretch
    cos, sin, ratio = torch.cos(angle), torch.sin(angle), width / height
    # From output to input coordinates, both from -1 to 1: undo the zoom, then rotate and shear in pixels, so in units of one axis.
    theta = torch.stack(
        [
            torch.stack([cos, (shear * cos - sin) / ratio], 1) / size.unsqueeze(1),
            torch.stack([sin * ratio, shear * sin + cos], 1) / size.unsqueeze(1),
        ],
        1,
    ) * torch.stack([wide, high], 1).unsqueeze(1)
    shift = torch.stack(
        [
            signed[:, 3] * 2.0 * augment.translate + signed[:, 7] * (1.0 - wide),
            signed[:, 4] * 2.0 * augment.translate + signed[:, 8] * (1.0 - high),
        ],
        1,
    )
    grid = functional.affine_grid(torch.cat([theta, shift.unsqueeze(2)], 2), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def flip(x: torch.Tensor, p: float, draws: Draws) -> torch.Tensor:
    """Each image mirrored left to right with probability ``p``."""
    return torch.where(draws.uniform(Use.FLIP, len(x), 1, 1, 1) < p, x.flip(-1), x)


def color_jitter(x: torch.Tensor, strength: float, draws: Draws) -> torch.Tensor:
    """Contrast times a factor from 1 - strength to 1 + strength around the image's mean, and brightness moved by at most ``strength``."""
    u = (draws.uniform(Use.COLOR, len(x), 2) * 2.0 - 1.0) * strength
    contrast, brightness = (one.view(-1, 1, 1, 1) for one in u.unbind(1))
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (1.0 + contrast) + brightness


def erase(x: torch.Tensor, p: float, draws: Draws) -> torch.Tensor:
    """A rectangle of each image set to 0 with probability ``p``.

    It comes after all other changes and works on standardised numbers: erased before them, the rectangle would be jittered, noisy or
    standardised to something else than 0.
    """
    n, _, height, width = x.shape
    u = draws.uniform(Use.ERASE, n, 5)
    area = (ERASED[0] + u[:, 1] * (ERASED[1] - ERASED[0])) * height * width
    stretch = torch.exp((u[:, 2] * 2.0 - 1.0) * math.log(ERASED_ASPECT))
    high = (area * stretch).sqrt().round().clamp(1, height)
    wide = (area / stretch).sqrt().round().clamp(1, width)
    top = (u[:, 3] * (height - high + 1)).floor()
    left = (u[:, 4] * (width - wide + 1)).floor()
    inside = box(top, left, top + high, left + wide, height, width) & (u[:, 0] < p).view(-1, 1, 1)
    return x.masked_fill(inside.unsqueeze(1), 0.0)


def box(top: torch.Tensor, left: torch.Tensor, bottom: torch.Tensor, right: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Which pixels lie in each rectangle, booleans [n, height, width]; ``bottom`` and ``right`` [n] are the first beyond it."""
    rows = torch.arange(height, device=top.device).view(1, -1, 1)
    columns = torch.arange(width, device=top.device).view(1, 1, -1)
    top, left, bottom, right = (one.view(-1, 1, 1) for one in (top, left, bottom, right))
    return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
