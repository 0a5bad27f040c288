"""A noisy quadratic: the smallest problem on which a learning rate can be too low or too high."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sweeper.config.files import config_from_tree
from sweeper.core import optim
from sweeper.core.flat import Flat


@dataclass(frozen=True)
class Quadratic:
    """The loss of a batch is the mean over its rows r of ``sum_i c_i (x_i - noise * r_i)^2 / 2``; r and the first x are standard normal.

    Attributes:
        dimensions: of x.
        condition: largest curvature over the smallest; they are spaced geometrically, and the largest is 1.
        noise: standard deviation of the rows.
        batch: rows of a batch.
    """

    dimensions: int
    condition: float
    noise: float
    batch: int

    def losses(self, optimizer: Mapping[str, Any], seeds: Sequence[int], rate: Callable[[int], float], steps: int) -> np.ndarray:
        """The loss before each step ``[seeds, steps]``; NaN after a seed's first that is not finite.

        The optimizers work element by element, so that the seeds are rows of one parameter.

        Args:
            optimizer: the config's section.
            seeds: of the start and the rows; the same seed meets the same ones at every learning rate.
            rate: the learning rate of each step.
            steps: how many to take.
        """
        curvature = torch.from_numpy(np.geomspace(1.0, 1.0 / self.condition, self.dimensions)).float()
        shape = (1 + steps * self.batch, self.dimensions)
        drawn = torch.stack([torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float() for seed in seeds])
        rows = self.noise * torch.unflatten(drawn[:, 1:], 1, (steps, self.batch))
        model = torch.nn.ParameterList([drawn[:, 0]])
        flat = Flat(model)
        stepper = optim.build(config_from_tree({"name": "range", "optimizer": dict(optimizer)}).optimizer, flat)
        (x,) = model
        found = []
        for step in range(steps):
            for group in stepper.param_groups:
                group["lr"] = rate(step)
            losses = (curvature * (x.unsqueeze(1) - rows[:, step]) ** 2).sum(2).mean(1) / 2
            flat.gradient.zero_()
            losses.sum().backward()
            stepper.step()
            found.append(losses.detach())
        losses = torch.stack(found, 1)
        broken = (~torch.isfinite(losses)).cumsum(1) > 0
        return losses.masked_fill(broken, torch.nan).numpy()
