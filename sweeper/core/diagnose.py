"""What was wrong with a trial, in one word and one sentence: rules over its reports, free of torch.

The rules are asked in the order of ``RULES``, causes before effects; the first that fits is what is said: of a network whose gradients
vanish one does not want to hear that it underfits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Any, TypeAlias

from sweeper.trial import Outcome, Report, Tree

# Losses are judged in units of the *chance loss*, that of the best constant prediction (the entropy of the labels; 1 for a standardised
# target), so that the same thresholds serve two classes, a thousand, and a regression.
FITTED = 0.1
"""Below this share of the chance loss a model has learned: nothing is wrong with its optimisation."""
LEARNED = 0.03
"""A trial whose losses never came below the chance loss by this share has not learned."""
AT_WORK = 0.5
"""Epochs in which the learning rate is at least this share of its peak count as time to learn; those of a warm-up do not."""
SWING = 0.5
"""Share of a curve's way that is undone again, from which on it oscillates, if it also turns in every third epoch."""
SWING_SIZE = 0.03
"""Mean rise per epoch, in chance losses, below which swings do not matter."""
CLIMB = 0.25
"""Rise of a loss, in chance losses, that no healthy training has, however few its epochs, if it also loses ``SWING`` of what was gained: of
the training loss from its lowest to its last value, or of any loss that falls by as much again."""
STILL_FALLING = 0.5
"""Of the speed of the first half of training, per unit of learning rate, that the second half still has, from which on it was too slow.
Per unit of learning rate, because a cosine makes every curve look flat at its end."""
BARELY = 0.85
"""A stopped trial that had time to learn, and whose loss is still above this share of the chance loss, was too slow."""
SLOW_GAIN = 0.03
"""What the second half gained, in chance losses, below which there was little more to be had."""
VANISHED = 1e-6
"""Mean absolute gradient of the first layer."""
LARGEST_GRADIENT = 1.0
"""Mean absolute gradient of a tensor."""
SPIKE = 30.0
"""Largest gradient norm of an epoch against the usual mean of one."""
SPIKE_NORM = 10.0
"""A spike below this norm moves nothing."""
DEAD = 0.5
"""Share of hidden units that are 0 for every probed row."""
GAP, GAP_RATIO = 0.1, 1.5
"""Validation loss above training loss, in chance losses and as a ratio, from both of which on a model overfits."""
RISE = 0.05
"""Rise of the validation loss after its best epoch, in chance losses, while the training loss falls."""
HIGH = 0.5
"""Share of the chance loss from which on a loss is high, where no baseline tells what can be had."""
WORSE = 1.1
"""Times the baseline's validation loss from which on a loss is high."""
GOOD_ACCURACY = 0.6
"""From here on an accuracy looks good enough to hide a class that is never found."""
RARE = 0.5
"""A class with less than this share of the rows that it would have if all were equal is rare."""


WATCHED = "watch_"
"""How the names of the numbers begin that ``sweeper.core.monitor`` puts into reports: behind ``val_``, since MLflow draws charts in the
order of their names. A prefix with a slash would be a section of charts of its own, and those come before all other metrics."""


class Tag(StrEnum):
    """What may be said."""

    DIVERGED = "diverged"
    EXPLODING = "exploding gradients"
    VANISHING = "vanishing gradients"
    DEAD_RELUS = "dead ReLUs"
    IMBALANCE = "imbalance"
    NOT_LEARNING = "not learning"
    OSCILLATING = "oscillating"
    OVERFITTING = "overfitting"
    TOO_SLOW = "too slow"
    UNDERFITTING = "underfitting"
    HEALTHY = "healthy"


REMEDIES: Mapping[Tag, str] = {
    Tag.DIVERGED: "learning rate / 10, clip gradients, check the initialisation and log(0)",
    Tag.EXPLODING: "clip gradients, lower the learning rate, check the initialisation",
    Tag.VANISHING: "ReLU, a norm layer, He or Xavier initialisation, skip connections, fewer layers",
    Tag.DEAD_RELUS: "lower the learning rate, He initialisation, leaky ReLU",
    Tag.IMBALANCE: "class weights, stratified sampling, search val_f1_macro",
    Tag.NOT_LEARNING: "raise the learning rate, check gradients, dead units and initialisation",
    Tag.OSCILLATING: "lower the learning rate, a schedule that decays it, a larger batch",
    Tag.OVERFITTING: "more regularisation, more data, a smaller model",
    Tag.TOO_SLOW: "raise the learning rate, train longer, another schedule",
    Tag.UNDERFITTING: "a larger model, longer training, less regularisation, a higher learning rate",
}


@dataclass(frozen=True)
class Reference:
    """What losses are measured against; what is not known is None.

    Attributes:
        chance: the loss of the best constant prediction; else the first epoch's training loss stands for it.
        baseline: the baseline's ``val_loss``.
        rarest: rows of the rarest class, as a share of what it would have if all classes were equal.
    """

    chance: float | None = None
    baseline: float | None = None
    rarest: float | None = None

    @classmethod
    def of(cls, task: str, summary: Mapping[str, Any], baseline: Mapping[str, Any] | None = None) -> Reference:
        """From a data set's summary (class counts by part) and a baseline's metrics, as a sweep's facts hold them."""
        base = (baseline or {}).get("val_loss")
        if task == "regression":
            return cls(1.0, base)
        counts = [parts["train"] for parts in summary.get("classes", {}).values()]
        if task != "classification" or not any(counts):
            return cls(None, base)
        rows = sum(counts)
        entropy = -sum(count / rows * math.log(count / rows) for count in counts if count)
        return cls(entropy or None, base, min(counts) * len(counts) / rows)


@dataclass(frozen=True)
class Diagnosis:
    """What is said of a trial.

    Attributes:
        tag: one word or two, to filter by.
        seen: the numbers it rests on.
    """

    tag: Tag
    seen: str

    @property
    def sentence(self) -> str:
        """What was seen, and what to try: "validation loss 0.61 against 0.08 in training; try: more regularisation, ..."."""
        return self.seen + (f"; try: {REMEDIES[self.tag]}" if self.tag in REMEDIES else "")


class Course:
    """A trial's curves, as the rules look at them: of its finite epochs.

    Args:
        reports: in order of epoch.
        config: the trial's.
        outcome: how it ended; None: it is open.
        reference: what losses are measured against.
    """

    def __init__(self, reports: Sequence[Report], config: Tree, outcome: Outcome | None, reference: Reference) -> None:
        self.reports = [report for report in reports if report.finite()]
        self.broken = next((report for report in reports if not report.finite()), None)
        self.outcome = outcome
        self.reference = reference
        self.train = self.curve("train_loss")
        self.val = self.curve("val_loss")
        self.chance = reference.chance or max(self.train, default=1.0)
        peak = config.get("optimizer", {}).get("lr", math.inf)
        self.at_work = sum(rate >= AT_WORK * peak for rate in self.curve("lr"))
        self.whole = outcome is Outcome.COMPLETE
        """Whether it went to its own end: what a pruned trial would have come to is not known."""

    def curve(self, name: str) -> list[float]:
        """The finite values of a metric, in order of epoch; of those of the monitor not every epoch has one."""
        return [report.metrics[name] for report in self.reports if math.isfinite(report.metrics.get(name, math.nan))]

    @property
    def high(self) -> float:
        """The loss from which on one cannot be content."""
        base = self.reference.baseline
        return HIGH * self.chance if base is None else min((1 - LEARNED) * self.chance, max(FITTED * self.chance, WORSE * base))


Rule: TypeAlias = Callable[[Course], str | None]
"""What it has seen, or None."""


def diverged(course: Course) -> str | None:
    """A loss that is not finite."""
    if course.broken is not None:
        names = [name for name, value in course.broken.metrics.items() if not math.isfinite(value) and name in ("train_loss", "val_loss")]
        return f"{' and '.join(names) or 'a score'} not finite in epoch {course.broken.epoch}"
    return "it ended as diverged" if course.outcome is Outcome.DIVERGED else None


def exploding(course: Course) -> str | None:
    """Large gradients all the time, or a step with a gradient far beyond the usual."""
    largest = course.curve(WATCHED + "grad_largest")
    if largest and median(largest) > LARGEST_GRADIENT:
        return f"the mean absolute gradient of a layer is {median(largest):.3g}"
    spike, usual = max(course.curve(WATCHED + "grad_norm_max"), default=0.0), course.curve("grad_norm")
    if spike > SPIKE_NORM and spike > SPIKE * median(usual):
        return f"a step had a gradient norm of {spike:.3g}, where {median(usual):.3g} is usual"
    return None


def vanishing(course: Course) -> str | None:
    """Almost no gradient in the first layer, and not because everything is learned."""
    first = course.curve(WATCHED + "grad_first")
    if first and median(first) < VANISHED and min(course.train) > FITTED * course.chance:
        return f"the mean absolute gradient of the first layer is {median(first):.1g}"
    return None


def dead_relus(course: Course) -> str | None:
    """Units that are 0 whatever comes in."""
    dead = course.curve(WATCHED + "dead_units")
    return f"{dead[-1]:.0%} of the hidden units are 0 for every row" if dead and dead[-1] > DEAD else None


def imbalance(course: Course) -> str | None:
    """A good accuracy, and a rare class that is never found."""
    recall, accuracy, rarest = course.curve(WATCHED + "recall_min"), course.curve("val_accuracy"), course.reference.rarest
    rare = rarest is None or rarest < RARE
    if rare and course.at_work >= 2 and recall and recall[-1] == 0 and accuracy[-1] >= GOOD_ACCURACY:
        return f"an accuracy of {accuracy[-1]:.2f}, but a class with recall 0"
    return None


def not_learning(course: Course) -> str | None:
    """No better than a constant prediction, though there was time."""
    best = min(course.train + course.val)
    if course.at_work >= 2 and best > (1 - LEARNED) * course.chance:
        return f"no loss below {best:.3g}, where a constant prediction has {course.chance:.3g}"
    return None


def oscillating(course: Course) -> str | None:
    """A loss that goes up and down, or a training loss that has gone up."""
    for name, curve in (("training", course.train), ("validation", course.val)):
        lowest = min(curve)
        large = max(CLIMB * course.chance, SWING * (curve[0] - lowest))
        if name == "training" and curve[-1] - lowest > large:
            return f"the training loss rose from {lowest:.3g} to {curve[-1]:.3g}"
        for place, top in enumerate(curve[1:-1], 1):
            before, after = min(curve[:place]), min(curve[place + 1 :])
            if top - max(before, after) > large:
                return f"the {name} loss rose from {before:.3g} to {top:.3g} and fell to {after:.3g} again"
        moves = [after - before for before, after in pairwise(curve)]
        if len(moves) < 4 or min(course.val) < FITTED * course.chance:
            continue  # small swings of a model that has learned are those of its batches and its dropout
        way, rise = sum(map(abs, moves)), sum(move for move in moves if move > 0)
        turns = sum(one * other < 0 for one, other in pairwise(moves))
        undone = way - abs(curve[-1] - curve[0])
        if undone > SWING * way and rise > SWING_SIZE * course.chance * len(moves) and 3 * turns >= len(moves):
            return f"the {name} loss turns {turns} times in {len(curve)} epochs and rises by {rise / len(moves):.2g} an epoch in the mean"
    return None


def overfitting(course: Course) -> str | None:
    """A training loss far below the validation loss, or one that falls while that rises above it.

    With dropout or augmentation the training loss stands above the other; as long as it does, a rise is noise of few rows.
    """
    lowest = course.val.index(min(course.val))
    train, val = course.train[lowest], course.val[lowest]
    rise = course.val[-1] - val
    if rise > RISE * course.chance and course.train[-1] < min(train, course.val[-1]):
        ends = course.val[-1], course.train[-1]
        return f"the validation loss rose from {val:.3g} to {ends[0]:.3g} while the training loss fell from {train:.3g} to {ends[1]:.3g}"
    if val - train > GAP * course.chance and val > GAP_RATIO * train:
        return f"a validation loss of {val:.3g} against {train:.3g} in training"
    return None


def too_slow(course: Course) -> str | None:
    """Still far to go, and as fast as at the beginning."""
    half, rates, last = len(course.train) // 2, course.curve("lr"), course.val[-1]
    if not course.whole and course.at_work >= 2 and last > BARELY * course.chance:
        return f"a validation loss of {last:.3g} after {len(course.val)} epochs, where a constant prediction has {course.chance:.3g}"
    if not course.whole or half < 2 or len(rates) != len(course.train):
        return None
    gains = course.train[0] - course.train[half], course.train[half] - course.train[-1]
    lengths = sum(rates[1 : half + 1]), sum(rates[half + 1 :])
    # Gains per learning rate are compared as products: near the end of a schedule a rate may be 0.
    steady = gains[1] * lengths[0] > STILL_FALLING * gains[0] * lengths[1]
    if steady and gains[1] > SLOW_GAIN * course.chance and course.train[-1] > FITTED * course.chance:
        return f"the training loss was still falling at the end, from {course.train[half]:.3g} to {course.train[-1]:.3g} in the second half"
    return None


def underfitting(course: Course) -> str | None:
    """Both losses high at the best epoch."""
    lowest = course.val.index(min(course.val))
    train, val = course.train[lowest], course.val[lowest]
    if not course.whole or min(train, val) <= course.high:
        return None
    base = course.reference.baseline
    return f"losses of {train:.3g} in training and {val:.3g} in validation, " + (
        f"where a constant prediction has {course.chance:.3g}" if base is None else f"where the baseline has {base:.3g}"
    )


RULES: tuple[tuple[Tag, Rule], ...] = (
    (Tag.DEAD_RELUS, dead_relus),
    (Tag.EXPLODING, exploding),
    (Tag.VANISHING, vanishing),
    (Tag.IMBALANCE, imbalance),
    (Tag.NOT_LEARNING, not_learning),
    (Tag.OSCILLATING, oscillating),
    (Tag.OVERFITTING, overfitting),
    (Tag.TOO_SLOW, too_slow),
    (Tag.UNDERFITTING, underfitting),
)


def diagnose(reports: Sequence[Report], config: Tree, outcome: Outcome | None, reference: Reference = Reference()) -> Diagnosis | None:
    """What was wrong with a trial, as far as its reports tell.

    A trial that was pruned or cancelled is judged by what it had; that it was stopped is no disease.

    Args:
        reports: in order of epoch.
        config: the trial's, complete.
        outcome: how it ended; ``complete`` also for a production job; None: it is open.
        reference: what losses are measured against.

    Returns:
        None where there is nothing to judge: no report, or an error of the code.
    """
    course = Course(reports, config, outcome, reference)
    if (seen := diverged(course)) is not None:
        return Diagnosis(Tag.DIVERGED, seen)
    if not course.reports or outcome is Outcome.FAILED:
        return None
    for tag, rule in RULES:
        if (seen := rule(course)) is not None:
            return Diagnosis(tag, seen)
    epochs = f"{len(course.reports)} epoch{'s' if len(course.reports) > 1 else ''}"
    stopped = "" if course.whole else f" in the {epochs} that it had"
    return Diagnosis(Tag.HEALTHY, f"nothing wrong{stopped}: validation loss {min(course.val):.3g}, training loss {min(course.train):.3g}")
