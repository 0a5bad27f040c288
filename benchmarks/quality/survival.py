"""When searches reached a target, some of which never did: the share that has not yet, by time (Kaplan and Meier, 1958)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Time:
    """When one search reached its target.

    Attributes:
        seconds: of the event; or of the last look, when it was given up before.
        reached: False: it was given up (censored). A search that spent its whole budget in vain is no such case: its ``seconds`` are
            infinite, so that it stays among those that have not reached it, however early it ended.
    """

    seconds: float
    reached: bool

    def later(self, seconds: float) -> Time:
        """The same on a clock that began so much earlier."""
        return Time(self.seconds + seconds, self.reached)


def curve(times: Sequence[Time]) -> list[tuple[float, float]]:
    """Steps (seconds, share that has not reached the target from then on), beginning at (0, 1)."""
    steps, share = [(0.0, 1.0)], 1.0
    for at in sorted({time.seconds for time in times if time.reached}):
        at_risk = sum(time.seconds >= at for time in times)
        share *= 1 - sum(time.reached and time.seconds == at for time in times) / at_risk
        steps.append((at, share))
    return steps


def quantile(times: Sequence[Time], share: float) -> float:
    """When so large a share has reached the target; infinite when it never does."""
    return next((at for at, left in curve(times) if left <= 1 - share + 1e-9), math.inf)


def reached(times: Sequence[Time]) -> float:
    """The share that ever reached the target."""
    return sum(time.reached for time in times) / len(times)


def times_faster(reference: Sequence[Time], arm: Sequence[Time]) -> tuple[float, float, float]:
    """Median of the paired ratios of time, and its 95% interval (bootstrap of pairs).

    A search that never reached the target counts as 0 times faster; one that was given up, by the time it had, which favours it.
    """
    ratios = [_ratio(one.seconds, other.seconds) for one, other in zip(reference, arm, strict=True)]
    medians = np.median(np.random.default_rng(0).choice(ratios, (BOOTSTRAPS, len(ratios))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def _ratio(reference: float, arm: float) -> float:
    return 0.0 if math.isinf(arm) else reference / arm


def draw(curves: Mapping[str, Sequence[Time]], title: str, path: Path) -> None:
    """The curves of several arms on a logarithmic axis of time, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    finite = [time.seconds for times in curves.values() for time in times if time.reached]
    first, last = min(finite) / 1.5, max(finite) * 1.5
    for name, times in curves.items():
        steps = curve(times)
        seconds = [first, *(at for at, _ in steps[1:]), last]
        axes.step(seconds, [1.0, *(share for _, share in steps[1:]), steps[-1][1]], where="post", label=name)
    axes.set(xscale="log", xlim=(first, last), ylim=(0, 1.02), title=title)
    axes.set(xlabel="seconds since the first training step", ylabel="share of searches that have not reached it")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.savefig(path, dpi=110)
