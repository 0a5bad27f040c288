"""What every picture of a range test shows, whatever draws it: words, limits, colours, the point of divergence."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from sweeper.lr_range.judge import START, Floats, Status
from sweeper.lr_range.probe import Probe
from sweeper.lr_range.result import LrRangeResult, Scale
from sweeper.lr_range.words import rate
from sweeper.trial import Scalar

SEED_COLOUR = "#9aa5b1"
CURVE_COLOUR = "#1f4e8c"
SUGGESTION_COLOUR = "#1a7f37"
MAX_COLOUR = "#c2410c"
DIVERGED_COLOUR = "#b42318"
BRACKET_COLOUR = "#d9ead3"
BAND_COLOUR = "#a7d3a0"

LOOKS_COLOUR = "#6d28d9"

PRETRAINED = "Weights that were trained before want far lower rates than a training loss suggests: compare --metric val_loss for those."

LOSS_LABEL = "training loss before the step"


def lr_label(result: LrRangeResult) -> str:
    """Of the horizontal axis."""
    return f"learning rate ({result.scale.value} scale)"


def setting(value: Scalar) -> str:
    """A setting as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def subject(result: LrRangeResult) -> str:
    """What was tested: ``mlp, sgd, batch_size 32``."""
    return ", ".join([result.name, result.optimizer, *(f"{key} {setting(value)}" for key, value in result.settings.items())])


def headline(result: LrRangeResult) -> str:
    """The answer in a line."""
    suggestion = result.suggestion
    answer = f"no answer ({result.status})" if suggestion is None else f"train with lr {rate(suggestion)}"
    return f"Learning-rate range test of {subject(result)}: {answer}"


def account(result: LrRangeResult) -> str:
    """How the ladder was measured, and what it cost."""
    seeds = len(result.losses)
    cost = f"{result.cost_steps:,} steps in {result.seconds:.1f} s"
    return f"{result.horizon} steps, one per rate, {seeds} seed{'s' if seeds > 1 else ''}: {cost}"


def span(results: Sequence[LrRangeResult]) -> str:
    """How long the ladders of several tests are, which is not the same for all where some showed nothing at first: ``100 or 300 steps``."""
    return f"{' or '.join(map(str, sorted({result.horizon for result in results})))} steps, {len(results[0].losses)} seeds each"


def sureness(result: LrRangeResult) -> str | None:
    """How far the seeds agree; None where there is nothing to agree on, or one seed."""
    verdict = result.judgement
    if verdict.confidence is None or verdict.band is None:
        return None
    low, high = verdict.band
    return f"Drawn again with repeats, the seeds suggest {rate(low)} to {rate(high)}; {verdict.confidence:.0%} within a factor of two"


def caption(result: LrRangeResult) -> str:
    """Why, how sure, and at what cost."""
    told = [result.judgement.sentence, sureness(result), account(result)]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in told if sentence)


def start_of(result: LrRangeResult) -> float | None:
    """The loss that the ladder started from: the median of its first fifth on log lr; None where nothing is finite."""
    climbed = np.log(result.lrs / result.lrs[0])
    first = result.losses[:, : max(3, int(np.sum(climbed < START * climbed[-1])))]
    found = first[np.isfinite(first)]
    return float(np.median(found)) if len(found) else None


def limits(result: LrRangeResult) -> tuple[float, float]:
    """The loss axis: the drop of the smoothed curve with room on both sides, so that neither the explosion nor noise flattens it."""
    start, smoothed = start_of(result), result.judgement.smoothed
    if start is None:
        return 0.0, 1.0
    lowest, highest = spread(result)
    lowest, highest = lowest[: len(smoothed)], highest[: len(smoothed)]
    least = min(smoothed, default=start)
    scatter = float(np.nanmedian(highest - lowest)) if np.isfinite(highest - lowest).any() else 0.0
    unit = max(start - least, scatter, 0.01 * abs(start), 1e-9)
    return least - 0.45 * unit, start + 0.45 * unit


def spread(result: LrRangeResult) -> tuple[Floats, Floats]:
    """The lowest and the highest loss over the seeds, ``[steps]`` each; NaN where none is finite, and behind the point of divergence."""
    finite = np.where(np.isfinite(result.losses), result.losses, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's word for steps at which no seed is finite
        lowest, highest = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    if (end := diverged_at(result)) is not None:
        lowest[result.lrs > end], highest[result.lrs > end] = np.nan, np.nan
    return lowest, highest


def diverged_at(result: LrRangeResult) -> float | None:
    """Where the smoothed curve, behind its minimum, is back at its start, or most seeds are not finite any more; None: nowhere."""
    smoothed, start = np.array(result.judgement.smoothed), start_of(result)
    if not len(smoothed) or start is None:
        return None
    lowest = int(np.argmin(smoothed))
    above = np.flatnonzero(smoothed[lowest:] > start)
    if len(above) and result.judgement.status is not Status.NO_USABLE_REGION:  # noise crosses its start all the time
        return float(result.lrs[lowest + int(above[0])])
    return float(result.lrs[len(smoothed)]) if len(smoothed) < len(result.lrs) else None


def place(result: LrRangeResult, lr: float) -> float:
    """Where a learning rate stands between the first (0) and the last (1) of the ladder's axis."""
    low, high = float(result.lrs[0]), float(result.lrs[-1])
    if result.scale is Scale.LOG:
        return math.log(lr / low) / math.log(high / low)
    return (lr - low) / (high - low)


def search_line(result: LrRangeResult) -> str | None:
    """The bracket as a line of a space file."""
    bracket = result.bracket
    return None if bracket is None else f"lr: {{log: [{rate(bracket[0])}, {rate(bracket[1])}]}}"


def means(probe: Probe) -> Floats:
    """The mean over seeds of what each constant rate ended at, ``[arms]``; NaN where a seed broke."""
    finite = np.isfinite(probe.losses)
    return np.where(finite.all(axis=0), np.where(finite, probe.losses, 0.0).mean(axis=0), np.nan)


def probe_limits(probe: Probe) -> tuple[float, float]:
    """The loss axis of a probe: the better half of the rates fills its lower part, and the rates that broke do not flatten it."""
    found = means(probe)[np.isfinite(means(probe))]
    if not len(found):
        return 0.0, 1.0
    low, middle = float(np.min(found)), float(np.median(found))
    unit = max(middle - low, 1e-3 * abs(low), 1e-9)
    return low - 0.4 * unit, low + min(2.5 * unit, 1.1 * max(float(np.max(found)) - low, unit))


def probe_ends(probe: Probe) -> tuple[float, float]:
    """The learning-rate axis of a probe: its rates, and half a step more on both sides."""
    half = math.sqrt(float(probe.lrs[1] / probe.lrs[0]))
    return float(probe.lrs[0]) / half, float(probe.lrs[-1]) * half
