"""What happens to training rows before a step: random changes of inputs, blends of two rows, weights of classes.

Whole pieces of an epoch are changed at once, lane by lane, before they are cut into batches, so that it costs a few operations per
epoch and lane and not per step. The numbers are the trial's own (``draws``): a course depends on its config and seed alone, in every
engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import torch

from sweeper.config.rows import misfits
from sweeper.config.schema import Augment, Config
from sweeper.core.augment import images, mixing, series, text
from sweeper.core.augment.draws import Draws, Use
from sweeper.core.batches import Resident, Rows
from sweeper.errors import InputError

Change: TypeAlias = Callable[[torch.Tensor, Draws], torch.Tensor]

AFFINE = ("rotate", "translate", "zoom", "shear", "resized_crop")


class Augmentation:
    """What a trial's rows go through in training.

    Args:
        config: its own.
        data: what it is trained on.

    Attributes:
        idle: whether nothing happens at all.

    Raises:
        InputError: changes that do not suit the data, every one of them.
    """

    def __init__(self, config: Config, data: Resident) -> None:
        if problems := list(misfits(config.augment, data.input_shape, data.tokens)):
            raise InputError(problems)
        self._augment = config.augment
        self._changes = _changes(config.augment, data)
        self._mixes = config.augment.mixup > 0 or config.augment.cutmix > 0
        self._classes = data.class_weights if config.training.class_weights == "balanced" else None
        self.idle = not self._changes and not self._mixes and self._classes is None

    def __call__(self, rows: Rows, batch_size: int, draws: Draws) -> Rows:
        """The rows as the step takes them.

        Args:
            rows: whole batches in the epoch's order, of which the last may be shorter.
            batch_size: rows of a batch.
            draws: of the trial and epoch; rows that follow each other must come in turn.
        """
        x = rows.x
        for change in self._changes:
            x = change(x, draws)
        if not self._mixes:
            weight = None if self._classes is None else self._classes[rows.y]
            return replace(rows, x=x, weight=weight)
        mixed = mixing.mix(x, rows.y, batch_size, mixup=self._augment.mixup, cutmix=self._augment.cutmix, draws=draws)
        weight, other_weight = mixed.share, 1.0 - mixed.share
        if self._classes is not None:
            weight, other_weight = weight * self._classes[mixed.y], other_weight * self._classes[mixed.other]
        return Rows(mixed.x, mixed.y, weight, mixed.other, other_weight)


def _noise(x: torch.Tensor, draws: Draws, strength: float) -> torch.Tensor:
    return x + strength * draws.normal(Use.NOISE, *x.shape)


def _changes(augment: Augment, data: Resident) -> list[Change]:
    """What is switched on, in the order in which it is done: places, colours, noise, what is erased last."""
    every: list[tuple[float, Change]] = [
        (augment.token_delete, lambda x, draws: text.delete(x, augment.token_delete, draws)),
        (augment.token_insert, lambda x, draws: text.insert(x, augment.token_insert, draws)),
        (augment.token_swap, lambda x, draws: text.swap(x, augment.token_swap, draws)),
        (augment.token_synonym, lambda x, draws: text.synonym(x, augment.token_synonym, data.synonyms, draws)),
        (augment.token_mask, lambda x, draws: text.mask(x, augment.token_mask, draws)),
        (augment.time_warp, lambda x, draws: series.time_warp(x, augment.time_warp, draws)),
        (augment.scaling, lambda x, draws: series.scale(x, augment.scaling, draws)),
        (augment.crop, lambda x, draws: images.crop(x, augment.crop, draws)),
        (max(getattr(augment, name) for name in AFFINE), lambda x, draws: images.affine(x, augment, draws)),
        (augment.flip, lambda x, draws: images.flip(x, augment.flip, draws)),
        (augment.color_jitter, lambda x, draws: images.color_jitter(x, augment.color_jitter, draws)),
        (augment.noise, partial(_noise, strength=augment.noise)),
        (augment.erase, lambda x, draws: images.erase(x, augment.erase, draws)),
    ]
    return [change for strength, change in every if strength]
