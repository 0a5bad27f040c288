"""Runs the range test: fresh models, a geometric ladder of learning rates, one optimizer step per rung, several seeds.

It is the training core's loop under another schedule and has nothing of its own: the same stack, step, optimizer, precision and clipping
as a trial or a production job of this config.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.config.files import tree_of
from sweeper.config.schema import Config, Sgd
from sweeper.core.loop import record_losses
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InputError, Problem
from sweeper.lr_range.judge import Floats, Judgement, Status, judge
from sweeper.trial import Trial

LOW = 1e-7
HIGH = 10.0
STEPS = 100
SEEDS = 3

SEED_LIMIT = 2**63  # what training.seed may be


@dataclass(frozen=True, eq=False)
class LrRangeResult:
    """What a range test found and what it cost.

    Attributes:
        name: of the config.
        optimizer: the curves of different optimizers are not to be compared by learning rate.
        lrs: ``[steps]``, the ladder, in the units of ``optimizer.lr``: ``training.scale_lr_with_batch`` scales what trains, not these.
        losses: ``[seeds, steps]``, the training loss before each step; NaN after a seed's first value that is not finite.
        judgement: what they say.
        horizon: for how many steps the suggestion was measured; the best learning rate of much longer runs is lower.
        cost_steps: optimizer steps taken over all seeds.
        seconds: wall time.
    """

    name: str
    optimizer: str
    lrs: Floats
    losses: Floats
    judgement: Judgement
    horizon: int
    cost_steps: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON data; losses that are not finite become null."""
        verdict = self.judgement
        return {
            "name": self.name,
            "optimizer": self.optimizer,
            "status": verdict.status.value,
            "sentence": verdict.sentence,
            "suggestion": verdict.suggestion,
            "max_lr": verdict.max_lr,
            "bracket": verdict.bracket and list(verdict.bracket),
            "confidence": verdict.confidence,
            "band": verdict.band and list(verdict.band),
            "z": verdict.z,
            "horizon": self.horizon,
            "cost_steps": self.cost_steps,
            "seconds": self.seconds,
            "lrs": self.lrs.tolist(),
            "losses": [[loss if math.isfinite(loss) else None for loss in row] for row in self.losses.tolist()],
            "smoothed": list(verdict.smoothed),
        }

    def to_json(self) -> str:
        """The text of ``result.json``."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "result.json") -> LrRangeResult:
        """Read what ``to_json`` wrote.

        Args:
            text: the file's content.
            source: its name, for the error.

        Raises:
            InputError: it is not the result of a range test.
        """
        try:
            tree = json.loads(text)
            bracket, band = tree["bracket"], tree["band"]
            judgement = Judgement(
                status=Status(tree["status"]),
                sentence=tree["sentence"],
                suggestion=tree["suggestion"],
                max_lr=tree["max_lr"],
                bracket=None if bracket is None else (bracket[0], bracket[1]),
                confidence=tree["confidence"],
                band=None if band is None else (band[0], band[1]),
                smoothed=tuple(tree["smoothed"]),
                z=tree["z"],
            )
            return cls(
                name=tree["name"],
                optimizer=tree["optimizer"],
                lrs=np.array(tree["lrs"], dtype=np.float64),
                losses=np.array([[math.nan if loss is None else loss for loss in row] for row in tree["losses"]], dtype=np.float64),
                judgement=judgement,
                horizon=tree["horizon"],
                cost_steps=tree["cost_steps"],
                seconds=tree["seconds"],
            )
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError.of(source, "", f"not the result of a range test ({error!r})", hint="run sweeper lr-range again") from error


def lr_range_test(
    config: Config,
    data: Dataset | None = None,
    *,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    seeds: int = SEEDS,
    device: str = "auto",
) -> LrRangeResult:
    """Train ``seeds`` fresh models of this config for ``steps`` steps on a ladder of learning rates from ``low`` to ``high``.

    Args:
        config: whose model, optimizer, batch size and precision are tested; its own learning rate and schedule do not matter.
        data: prepared, of which only the training part is used; None: prepared from ``config.data``.
        low: the first learning rate.
        high: the last one.
        steps: optimizer steps; also the horizon of the answer.
        seeds: how many models; their training seeds count up from ``training.seed``.
        device: ``auto``, ``cpu``, ``cuda``.

    Raises:
        InputError: the ladder is not one, or the config does not fit the data.
    """
    _check(low, high, steps, seeds)
    prepared = data if data is not None else prepare(config.data, config.task)
    lrs = np.geomspace(low, high, steps)
    peak = config.optimizer.lr
    started = time.perf_counter()
    losses = record_losses(_trials(config, seeds), prepared, lambda step: float(lrs[min(step, steps - 1)]) / peak, steps, device=device)
    seconds = time.perf_counter() - started
    losses = losses.astype(np.float64)
    return LrRangeResult(
        name=config.name,
        optimizer=config.optimizer.name,
        lrs=lrs,
        losses=losses,
        judgement=judge(lrs, losses, plain=isinstance(config.optimizer, Sgd) and config.optimizer.momentum == 0),
        horizon=steps,
        cost_steps=int(np.sum(np.isfinite(losses))),
        seconds=seconds,
    )


def _trials(config: Config, seeds: int) -> Sequence[Trial]:
    """One trial per seed; they share a shape, since only the training seed differs."""
    tree = tree_of(config)
    trials = []
    for number in range(seeds):
        seed = (config.training.seed + number) % SEED_LIMIT
        seeded = {**tree, "training": {**tree["training"], "seed": seed}}
        trials.append(Trial(number=number, seed=seed, values={}, config=seeded, shape="lr_range"))
    return trials


def _check(low: float, high: float, steps: int, seeds: int) -> None:
    source = "learning-rate range test"
    problems = []
    if not (math.isfinite(low) and math.isfinite(high) and 0 < low < high):
        problems.append(Problem(source, "low, high", f"{low:g}, {high:g}", "0 < low < high, both finite"))
    if steps < 2:
        problems.append(Problem(source, "steps", str(steps), "2 or more", hint="100 is a good number"))
    if seeds < 1:
        problems.append(Problem(source, "seeds", str(seeds), "1 or more"))
    if problems:
        raise InputError(problems)
