"""The random numbers of augmentation."""

from __future__ import annotations

import torch

from sweeper.core.augment.draws import Draws, Use

CPU = torch.device("cpu")


def test_numbers_do_not_depend_on_how_the_rows_are_cut() -> None:
    """Several draws in turn give what one of all rows gives, also where an odd number is drawn."""
    for kind in ("uniform", "normal"):
        whole = getattr(Draws(1, 2, CPU), kind)(Use.NOISE, 70, 3)
        pieces = Draws(1, 2, CPU)
        assert torch.equal(torch.cat([getattr(pieces, kind)(Use.NOISE, rows, 3) for rows in (1, 32, 37)]), whole)


def test_every_seed_epoch_and_use_has_its_own() -> None:
    """And the same again when asked again."""
    keys = [(seed, epoch, use) for seed in (1, 2) for epoch in (1, 2) for use in (Use.NOISE, Use.FLIP)]
    found = {tuple(Draws(seed, epoch, CPU).uniform(use, 4).tolist()) for seed, epoch, use in keys}
    assert len(found) == len(keys)
    assert torch.equal(Draws(1, 1, CPU).uniform(Use.FLIP, 4), Draws(1, 1, CPU).uniform(Use.FLIP, 4))


def test_one_use_does_not_move_the_numbers_of_another() -> None:
    """Switching a change on leaves the others as they were."""
    draws = Draws(1, 1, CPU)
    draws.uniform(Use.CROP, 100)
    assert torch.equal(draws.uniform(Use.FLIP, 4), Draws(1, 1, CPU).uniform(Use.FLIP, 4))
