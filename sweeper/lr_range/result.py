"""What a range test found, as an object and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from sweeper.errors import InputError
from sweeper.lr_range.arms import Comparison
from sweeper.lr_range.judge import Floats, Judgement, Status
from sweeper.lr_range.nulls import array_of, rows_of
from sweeper.lr_range.probe import Probe
from sweeper.trial import Scalar


class Scale(StrEnum):
    """How the learning rate climbs: by a factor from step to step, or by a difference (Smith, 2017)."""

    LOG = "log"
    LINEAR = "linear"


@dataclass(frozen=True, eq=False)
class Looks:
    """What was seen of the validation part on the way up a linear ladder.

    Attributes:
        name: of the score: ``val_accuracy``, or ``val_r2`` of a regression.
        lrs: ``[L]``, the learning rates of the steps after which it was looked at.
        values: ``[seeds, L]``; NaN after a seed diverged.
    """

    name: str
    lrs: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class LrRangeResult:
    """What a range test found and what it cost.

    Attributes:
        name: of the config.
        optimizer: the curves of different optimizers are not to be compared by learning rate.
        lrs: ``[steps]``, the ladder, in the units of ``optimizer.lr``: ``training.scale_lr_with_batch`` scales what trains, not these.
        losses: ``[seeds, steps]``, the training loss before each step; NaN after a seed's first value that is not finite.
        judgement: what they say.
        horizon: steps of the ladder.
        cost_steps: optimizer steps of the ladder, over all seeds.
        seconds: wall time of the ladder.
        scale: of the ladder.
        settings: what else tells this test from others of the same space, such as the batch size.
        looks: at the validation part, of a linear ladder; never judged.
        probe: the second stage, constant rates about the ladder's suggestion, if there was one.
    """

    name: str
    optimizer: str
    lrs: Floats
    losses: Floats
    judgement: Judgement
    horizon: int
    cost_steps: int
    seconds: float
    scale: Scale = Scale.LOG
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    looks: Looks | None = None
    probe: Probe | None = None

    @property
    def status(self) -> Status:
        """The ladder's; the probe's where that alone has an answer."""
        return self._speaks.status

    @property
    def sentence(self) -> str:
        """That of the status."""
        return self._speaks.sentence

    @property
    def _speaks(self) -> Judgement | Comparison:
        alone = self.judgement.suggestion is None and self.probe is not None and self.probe.verdict.suggestion is not None
        return self.probe.verdict if alone and self.probe else self.judgement

    @property
    def suggestion(self) -> float | None:
        """The learning rate to train with: the probe's where that has one, else the ladder's."""
        refined = self.probe and self.probe.verdict.suggestion
        return refined or self.judgement.suggestion

    @property
    def max_lr(self) -> float | None:
        """The highest that a schedule with warm-up and decay may visit: the highest as good as the probe's best, or the ladder's."""
        refined = self.probe and self.probe.verdict.band
        return refined[1] if refined else self.judgement.max_lr

    @property
    def bracket(self) -> tuple[float, float] | None:
        """(low, high) to search within: the probe's where that has one, else the ladder's."""
        refined = self.probe and self.probe.verdict.bracket
        return refined or self.judgement.bracket

    @property
    def answer(self) -> dict[str, Any]:
        """What the test says in the end, as JSON data: status, three numbers, for how many steps they hold, and what both stages cost."""
        probe = self.probe
        return {
            "status": self.status.value,
            "suggestion": self.suggestion,
            "max_lr": self.max_lr,
            "bracket": self.bracket and list(self.bracket),
            "horizon": probe.horizon if probe and probe.verdict.suggestion else self.horizon,
            "cost_steps": self.cost_steps + (probe.cost_steps if probe else 0),
            "seconds": self.seconds + (probe.seconds if probe else 0.0),
        }

    def as_dict(self) -> dict[str, Any]:
        """JSON data; losses that are not finite become null. ``answer`` is what the test says in the end, the rest the ladder's alone."""
        verdict = self.judgement
        return {
            "name": self.name,
            "optimizer": self.optimizer,
            "answer": self.answer,
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
            "losses": rows_of(self.losses),
            "smoothed": list(verdict.smoothed),
            "scale": self.scale.value,
            "settings": dict(self.settings),
            "looks": self.looks and {"name": self.looks.name, "lrs": self.looks.lrs.tolist(), "values": rows_of(self.looks.values)},
            "probe": self.probe and self.probe.as_dict(),
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
            bracket, band, looks, probed = tree["bracket"], tree["band"], tree.get("looks"), tree.get("probe")
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
                losses=array_of(tree["losses"]),
                judgement=judgement,
                horizon=tree["horizon"],
                cost_steps=tree["cost_steps"],
                seconds=tree["seconds"],
                scale=Scale(tree.get("scale", Scale.LOG)),
                settings=dict(tree.get("settings", {})),
                looks=looks and Looks(looks["name"], np.array(looks["lrs"], dtype=np.float64), array_of(looks["values"])),
                probe=probed and Probe.from_dict(probed),
            )
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError.of(source, "", f"not the result of a range test ({error!r})", hint="run sweeper lr-range again") from error
