"""What is said of a trial: each failure is produced for real, by training, and told by name."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweeper.config.schema import Data
from sweeper.core.diagnose import REMEDIES, RULES, Reference, Tag, diagnose
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset, Part
from sweeper.data.prepare import prepare
from sweeper.trial import Outcome, Report
from tests.core.driving import cut

CONSTANT = {"name": "constant"}
SGD = {"name": "sgd", "momentum": 0.9, "weight_decay": 0.0}


@pytest.fixture(scope="module")
def rows() -> Dataset:
    """Some digits as plain rows."""
    return cut(prepare(Data(source="digits"), "classification"), 600, 200)


@pytest.fixture
def said(make_trial: Any, drive: Any) -> Any:
    """Trains a config to its end and asks what was wrong."""

    def ask(data: Dataset, **parts: Any) -> Tag:
        training = {"epochs": 10, "patience": None, "batch_size": 32, **parts.pop("training", {})}
        trial = make_trial(**{"schedule": CONSTANT, **parts}, training=training)
        reports = drive(train([trial], data, device="cpu"))
        outcome = Outcome.COMPLETE if reports[-1].finite() else Outcome.DIVERGED
        classes = np.bincount(data.train.y, minlength=data.outputs).tolist() if data.task == "classification" else []
        summary = {"classes": {str(label): {"train": count} for label, count in enumerate(classes)}}
        found = diagnose(reports, trial.config, outcome, Reference.of(data.task, summary))
        assert found is not None
        assert (found.tag in REMEDIES) == ("try: " in found.sentence)
        return found.tag

    return ask


def rare(data: Dataset) -> Dataset:
    """Is it an eight? All other digits are a no, and nearly all eights are gone from the training part."""

    def part(rows: Part, eights: int) -> Part:
        y = (rows.y == 8).astype(np.int64)
        kept = np.sort(np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y)[:eights]]))
        return Part(rows.x[kept], y[kept])

    return replace(data, train=part(data.train, 6), val=part(data.val, 6), outputs=2, labels=("no", "yes"))


def unscaled(data: Dataset) -> Dataset:
    """Inputs in thousands, as somebody who forgot to scale them has."""
    return replace(data, train=Part(data.train.x * 1000, data.train.y))


PRODUCED: Mapping[Tag, dict[str, Any]] = {
    Tag.DIVERGED: {"optimizer": {**SGD, "lr": 1e4}, "training": {"clip_norm": None}},
    Tag.EXPLODING: {"data": unscaled, "optimizer": {**SGD, "lr": 1e-3}, "training": {"epochs": 4}},
    Tag.VANISHING: {"model": {"depth": 40, "width": 16, "activation": "silu"}, "optimizer": {**SGD, "lr": 0.01}, "training": {"epochs": 4}},
    Tag.DEAD_RELUS: {"optimizer": {"name": "adamw", "lr": 0.3}, "model": {"width": 32}, "training": {"epochs": 4}},
    Tag.IMBALANCE: {"data": rare, "optimizer": {**SGD, "lr": 1e-3}},
    Tag.NOT_LEARNING: {"optimizer": {**SGD, "lr": 1e-6}},
    Tag.OSCILLATING: {"optimizer": {**SGD, "lr": 0.5}, "model": {"activation": "tanh", "width": 16}},
    Tag.TOO_SLOW: {"optimizer": {**SGD, "lr": 1e-3}, "model": {"activation": "tanh"}},
    Tag.OVERFITTING: {"data": lambda data: cut(data, 60, 200), "optimizer": {"name": "adamw", "lr": 3e-3}, "training": {"epochs": 25}},
    Tag.UNDERFITTING: {"model": {"width": 1}, "optimizer": {"name": "adamw", "lr": 0.02}, "training": {"epochs": 20}},
    Tag.HEALTHY: {"model": {"norm": "layer"}, "optimizer": {"name": "adamw", "lr": 3e-3}},
}


@pytest.mark.parametrize("tag", PRODUCED)
def test_a_failure_is_told_by_its_name(said: Any, rows: Dataset, tag: Tag) -> None:
    """A learning rate that diverges, forty layers that let no gradient through, one unit for ten classes: all really trained."""
    parts = dict(PRODUCED[tag])
    assert said(parts.pop("data", lambda data: data)(rows), **parts) is tag


def test_every_tag_is_produced_and_has_its_remedy() -> None:
    """Whoever adds a rule adds its failure above and a remedy; only a healthy trial needs none."""
    assert set(PRODUCED) == set(Tag)
    assert set(REMEDIES) == set(Tag) - {Tag.HEALTHY}
    assert {tag for tag, _ in RULES} == set(Tag) - {Tag.HEALTHY, Tag.DIVERGED}


def reports(train: Sequence[float], val: Sequence[float], rates: Sequence[float] | None = None, **more: float) -> list[Report]:
    """Reports with these losses; ``more`` is in each of them."""
    lrs = rates or [0.1] * len(train)
    curves = zip(train, val, lrs, strict=True)
    return [
        Report(0, n, {"train_loss": t, "val_loss": v, "lr": lr, "grad_norm": 1.0, **more}, 0.0) for n, (t, v, lr) in enumerate(curves, 1)
    ]


CONFIG = {"optimizer": {"lr": 0.1}}
TEN = Reference(chance=math.log(10))


def tag_of(told: Sequence[Report], outcome: Outcome | None = Outcome.COMPLETE, reference: Reference = TEN) -> Tag | None:
    """What is said of them."""
    found = diagnose(told, CONFIG, outcome, reference)
    return None if found is None else found.tag


@pytest.mark.parametrize("outcome", [Outcome.PRUNED, Outcome.CANCELLED, None])
def test_being_stopped_early_is_no_disease(outcome: Outcome | None) -> None:
    """What a trial would have come to is not known: losses that are still high and falling are called neither slow nor high."""
    falling = [2.2, 2.1, 2.0, 1.9, 1.8, 1.7]
    assert tag_of(reports(falling, falling)) is Tag.TOO_SLOW
    assert tag_of(reports(falling, falling), outcome) is Tag.HEALTHY


def test_a_stopped_trial_that_had_hardly_begun_to_learn_was_too_slow() -> None:
    """After some epochs at its full rate, and only then."""
    crawling = [2.28, 2.22, 2.16, 2.1]
    assert tag_of(reports(crawling, crawling), Outcome.PRUNED) is Tag.TOO_SLOW
    assert tag_of(reports(crawling, crawling, [0.01, 0.02, 0.03, 0.06]), Outcome.PRUNED) is Tag.HEALTHY


def test_a_training_loss_that_rises_is_told_after_few_epochs() -> None:
    """Two epochs are no swing; the loss that training itself lowers must not rise by much, even so. That of validation may."""
    assert tag_of(reports([1.9, 1.2, 3.8], [1.6, 1.6, 1.7]), Outcome.PRUNED) is Tag.OSCILLATING
    assert tag_of(reports([1.9, 1.2, 1.1], [1.6, 1.6, 2.7]), Outcome.PRUNED) is Tag.OVERFITTING


def test_a_swing_is_told_after_few_epochs() -> None:
    """A loss that jumps and comes back, as at a rate of 0.68; not one that stumbles on its way."""
    train = [2.22, 1.38, 0.99, 0.96]
    assert tag_of(reports(train, [1.6, 0.95, 3.38, 1.27]), Outcome.PRUNED) is Tag.OSCILLATING
    assert tag_of(reports(train, [1.98, 0.47, 0.63, 0.35]), Outcome.PRUNED) is Tag.HEALTHY


def test_noise_of_a_small_set_is_no_disease() -> None:
    """A last epoch that is worse than the others, or a lucky validation loss that stays far below the training loss under dropout."""
    two = Reference(chance=math.log(2))
    assert tag_of(reports([0.7, 0.62, 0.46, 0.05, 0.23], [0.67, 0.48, 0.2, 0.04, 0.05]), Outcome.PRUNED, two) is Tag.HEALTHY
    assert tag_of(reports([0.68, 0.47, 0.26, 0.22, 0.24], [0.59, 0.15, 0.067, 0.08, 0.106]), Outcome.PRUNED, two) is Tag.HEALTHY
    assert tag_of(reports([0.68, 0.47, 0.26, 0.02, 0.01], [0.59, 0.15, 0.067, 0.08, 0.106]), Outcome.PRUNED, two) is Tag.OVERFITTING


def test_a_warm_up_is_no_time_to_learn() -> None:
    """A trial that was pruned before the learning rate was near its peak has not failed to learn."""
    flat = [2.3, 2.3, 2.3]
    assert tag_of(reports(flat, flat, [0.001, 0.03, 0.06]), Outcome.PRUNED) is Tag.HEALTHY
    assert tag_of(reports(flat, flat, [0.001, 0.06, 0.1]), Outcome.PRUNED) is Tag.NOT_LEARNING


def test_a_cosine_does_not_hide_that_training_was_too_slow() -> None:
    """The curve is flat at its end because the rate is 0 there, not because all is learned."""
    rates = [0.05 * (1 + math.cos(math.pi * n / 20)) for n in range(1, 21)]
    losses = [2.3 - 0.6 * sum(rates[:n]) for n in range(1, 21)]
    assert losses[-3] - losses[-1] < 0.005
    assert tag_of(reports(losses, losses, rates)) is Tag.TOO_SLOW
    learned = [0.2 + 2.1 * math.exp(-10 * sum(rates[:n])) for n in range(1, 21)]
    assert tag_of(reports(learned, learned, rates)) is Tag.HEALTHY


def test_losses_are_high_where_a_baseline_has_lower_ones() -> None:
    """A regression that nothing predicts well is not underfitted for that; one behind the linear model is."""
    flat = [0.9, 0.6, 0.55, 0.55, 0.55, 0.55]
    assert tag_of(reports(flat, flat), reference=Reference(1.0)) is Tag.UNDERFITTING
    assert tag_of(reports(flat, flat), reference=Reference(1.0, baseline=0.54)) is Tag.HEALTHY
    assert tag_of(reports(flat, flat), reference=Reference(1.0, baseline=0.4)) is Tag.UNDERFITTING


def test_a_class_is_only_missed_where_it_is_rare() -> None:
    """Of ten equal classes one may be learned last; that is no imbalance."""
    seen = reports([1.0, 0.7, 0.6], [1.0, 0.7, 0.6], val_accuracy=0.85, watch_recall_min=0.0)
    assert tag_of(seen, reference=Reference(2.3, rarest=1.0)) is not Tag.IMBALANCE
    assert tag_of(seen, reference=Reference(2.3, rarest=0.1)) is Tag.IMBALANCE


def test_the_reference_comes_from_the_data_and_the_baseline() -> None:
    """The entropy of the training labels, the share of the rarest, the baseline's loss; 1 for a standardised target."""
    summary = {"classes": {"a": {"train": 30, "val": 1}, "b": {"train": 10, "val": 1}}}
    found = Reference.of("classification", summary, {"name": "logistic regression", "val_loss": 0.3})
    assert found.chance == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert (found.rarest, found.baseline) == (0.5, 0.3)
    assert Reference.of("regression", {}, {"val_loss": 0.5}) == Reference(1.0, 0.5)
    assert Reference.of("multilabel", {}) == Reference()


def test_nothing_is_said_where_nothing_was_trained() -> None:
    """No report, or code that raised, which has a reason of its own; a diverged trial without reports is diverged."""
    assert tag_of([]) is None
    assert tag_of(reports([2.0], [2.0]), Outcome.FAILED) is None
    assert tag_of([], Outcome.DIVERGED) is Tag.DIVERGED


def test_a_single_epoch_is_enough_for_every_rule() -> None:
    """No rule raises for lack of epochs, of the monitor's numbers or of a learning rate."""
    for outcome in (Outcome.COMPLETE, Outcome.PRUNED):
        assert tag_of(reports([2.0], [1.5]), outcome) in set(Tag)
        assert diagnose([Report(0, 1, {"train_loss": 0.1, "val_loss": 0.1}, 0.0)], {}, outcome) is not None


def test_the_rules_need_no_torch() -> None:
    """The tracker's process reads them, which imports no torch."""
    code = "import sys, sweeper.core.diagnose; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
