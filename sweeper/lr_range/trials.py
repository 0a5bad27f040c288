"""What a range test trains: fresh models that differ in their seed, or in seed and learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweeper.config.files import tree_of
from sweeper.config.schema import Config
from sweeper.trial import Trial

SEED_LIMIT = 2**63  # what training.seed may be


def trials_of(config: Config, seeds: range, lrs: Sequence[float] | None = None) -> list[Trial]:
    """One trial per seed; with learning rates one per rate and seed, rate by rate.

    The seeds count up from ``training.seed`` and are the same for every rate: the same first weights, the same rows in the same order, the
    same dropout. So rates are compared on common random numbers.

    Args:
        config: of all of them.
        seeds: which, counted from ``training.seed``.
        lrs: in place of ``optimizer.lr``; other rates of the optimizer (Muon's for AdamW) keep their ratio to it. None: the config's own.
    """
    tree = tree_of(config)
    optimizers = [tree["optimizer"]] if lrs is None else [moved(tree["optimizer"], lr) for lr in lrs]
    trials: list[Trial] = []
    for optimizer in optimizers:
        for number in seeds:
            seed = (config.training.seed + number) % SEED_LIMIT
            found = {**tree, "optimizer": optimizer, "training": {**tree["training"], "seed": seed}}
            trials.append(Trial(number=len(trials), seed=seed, values={}, config=found, shape="lr_range"))
    return trials


def moved(optimizer: Mapping[str, Any], lr: float) -> dict[str, Any]:
    """An optimizer's section with this learning rate; other rates of it keep their ratio to ``lr``."""
    factor = lr / optimizer["lr"]
    others = {key: value * factor for key, value in optimizer.items() if key.endswith("_lr") and isinstance(value, float)}
    return {**optimizer, **others, "lr": lr}
