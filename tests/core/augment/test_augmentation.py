"""What rows go through on their way to a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from sweeper.config.files import config_from_tree
from sweeper.core.augment import Augmentation
from sweeper.core.augment.draws import Draws
from sweeper.core.batches import Resident, Rows, in_order
from sweeper.core.evaluate import task_loss
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.plain import PlainLane, PlainStack
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from tests.core.driving import cut
from tests.core.syncs import Syncs

CPU = torch.device("cpu")
ENGINES = {"plain": PlainStack, "stacked": FusedStack}
STILL = {"name": "adamw", "lr": 1e-30, "weight_decay": 0.0}
ALL = {"noise": 0.1, "crop": 1, "rotate": 15.0, "flip": 0.5, "color_jitter": 0.2, "erase": 0.2, "mixup": 0.2, "cutmix": 1.0}


@pytest.fixture(scope="module")
def data(digits: Dataset) -> Resident:
    """Some digits, with more of some classes than of others."""
    return Resident.of(cut(digits, 150, 61), CPU)


def augmented(data: Resident, make_trial: Any, augment: dict[str, Any], **parts: Any) -> Rows:
    """The whole training part as it goes into the first epoch."""
    trial = make_trial(augment=augment, **parts)
    return Augmentation(config_from_tree(trial.config), data)(data.train, 32, Draws(trial.seed, 1, CPU))


def test_nothing_to_do_is_known(data: Resident, make_trial: Any) -> None:
    """A config without augmentation and class weights is idle, one with any of them is not."""
    idle = [
        Augmentation(config_from_tree(make_trial(**parts).config), data).idle
        for parts in ({}, {"augment": {"noise": 0.1}}, {"augment": {"mixup": 0.1}}, {"training": {"class_weights": "balanced"}})
    ]
    assert idle == [True, False, False, False]


def test_noise_has_the_size_that_was_asked_for(data: Resident, make_trial: Any) -> None:
    """In the inputs' own units, around 0; targets stay."""
    found = augmented(data, make_trial, {"noise": 0.3})
    moved = found.x - data.train.x
    assert moved.std().item() == pytest.approx(0.3, rel=0.03)
    assert abs(moved.mean().item()) < 0.01
    assert torch.equal(found.y, data.train.y)
    assert found.weight is None


def test_random_erasing_comes_after_tensor_conversion(data: Resident, make_trial: Any) -> None:
    """Erased pixels are exactly 0 whatever else is done to an image: neither noise nor jitter nor standardising come after it."""
    alike = {"noise": 0.1, "color_jitter": 0.2, "rotate": 15.0}
    whole, found = (augmented(data, make_trial, {**alike, "erase": p}).x for p in (0.0, 1.0))
    erased = found == 0
    assert erased.flatten(1).any(1).all()
    assert torch.equal(found[~erased], whole[~erased])
    assert (whole[erased] != 0).float().mean() > 0.9


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_of_validation_are_never_changed(data: Resident, make_trial: Any, engine: str) -> None:
    """A model that stands still has the validation loss of one without augmentation; the data on the device are as they were."""
    before = [part.clone() for part in (data.train.x, data.train.y, data.val.x)]
    found = [ENGINES[engine]([make_trial(optimizer=STILL, augment=augment)], data).run_epoch()[0] for augment in ({}, ALL)]
    assert found[1]["val_loss"] == found[0]["val_loss"]
    assert found[1]["train_loss"] != found[0]["train_loss"]
    for part, old in zip((data.train.x, data.train.y, data.val.x), before, strict=True):
        assert torch.equal(part, old)


@pytest.mark.parametrize("engine", ENGINES)
def test_class_weights_are_no_part_of_any_reported_loss(data: Resident, make_trial: Any, engine: str) -> None:
    """A model that stands still reports the plain losses; only its gradient is another one."""
    trainings = ({}, {"class_weights": "balanced"})
    found = [ENGINES[engine]([make_trial(optimizer=STILL, training=training)], data).run_epoch()[0] for training in trainings]
    for name in ("train_loss", "val_loss", "train_accuracy"):
        assert found[1][name] == found[0][name]
    assert found[1]["grad_norm"] != pytest.approx(found[0]["grad_norm"], rel=1e-4)


def test_every_class_counts_alike(data: Resident, make_trial: Any) -> None:
    """The weights of a class sum to n / classes, so to 1 in the mean over all rows."""
    found = augmented(data, make_trial, {}, training={"class_weights": "balanced"})
    assert found.weight is not None
    sums = torch.zeros(10).index_add_(0, found.y, found.weight)
    assert sums.tolist() == pytest.approx([15.0] * 10)


def test_blended_rows_count_by_both_classes(data: Resident, make_trial: Any) -> None:
    """With mixup each of the two losses has its share of its own class's weight."""
    balanced = {"class_weights": "balanced"}
    plain = augmented(data, make_trial, {"mixup": 0.4})
    found = augmented(data, make_trial, {"mixup": 0.4}, training=balanced)
    assert plain.weight is not None
    assert plain.other is not None
    assert plain.other_weight is not None
    torch.testing.assert_close(plain.weight + plain.other_weight, torch.ones(150))
    torch.testing.assert_close(found.weight, plain.weight * data.class_weights[plain.y])
    torch.testing.assert_close(found.other_weight, plain.other_weight * data.class_weights[plain.other])


def test_blended_rows_are_reported_by_the_larger_share(data: Resident, make_trial: Any) -> None:
    """``train_loss`` is the plain loss on the blended inputs against the target that they have more of."""
    trial = make_trial(optimizer=STILL, augment={"mixup": 0.4}, training={"batch_size": 32, "label_smoothing": 0.1})
    lane = PlainLane(trial, data)
    (chunk,) = in_order(data.train, lane.plan, trial.seed, 1)
    rows = Augmentation(lane.config, data)(chunk, 32, Draws(trial.seed, 1, CPU))
    expected = task_loss(lane.model(rows.x), rows.y, "classification").item()
    assert lane.train_epoch()["train_loss"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_augmented_epoch_costs_one_transfer(data: Resident, make_trial: Any, engine: str) -> None:
    """No change of rows waits for the device."""
    training = {"batch_size": 32, "class_weights": "balanced", "accumulate": 2}
    stack = ENGINES[engine]([make_trial(n, seed=n, augment=ALL, training=training) for n in range(2)], data)
    with Syncs() as syncs:
        stack.run_epoch()
    assert syncs.count == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_change_that_does_not_suit_the_data_is_refused(diabetes: Dataset, make_trial: Any, engine: str) -> None:
    """Before anything is trained: a flip and a CutMix of a table, both told at once."""
    table = Resident.of(diabetes, CPU)
    with pytest.raises(InputError, match=r"augment\.cutmix .*a table's of shape \[10\](.|\n)*augment\.flip") as error:
        ENGINES[engine]([make_trial(task="regression", augment={"cutmix": 1.0, "flip": 0.5, "noise": 0.1})], table)
    assert len(error.value.problems) == 2


@pytest.fixture(params=["series", "text"])
def other_kind(request: pytest.FixtureRequest) -> Iterator[tuple[Resident, dict[str, float]]]:
    """Rows that are neither images nor a table, and all changes that suit them."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 3
    if request.param == "series":
        parts = [Rows(torch.randn(60, 12, 2, generator=generator), y) for _ in range(2)]
        yield Resident(*parts, (12, 2), 3, "classification", 1.0, CPU), {"noise": 0.1, "scaling": 0.1, "time_warp": 0.2, "mixup": 0.2}
    else:
        parts = [Rows(torch.randint(1, 20, (60, 12), generator=generator), y) for _ in range(2)]
        changes = {f"token_{what}": 0.2 for what in ("mask", "delete", "swap", "insert", "synonym")}
        yield Resident(*parts, (12,), 3, "classification", 1.0, CPU, tokens=20, by_token={4: (5, 6), 7: (8,)}), changes


def test_series_and_text_go_through_all_their_changes(other_kind: tuple[Resident, dict[str, float]], make_trial: Any) -> None:
    """Shape and type stay, values do not, and each change alone does something."""
    data, changes = other_kind
    for augment in ({name: value} for name, value in changes.items()):
        found = augmented(data, make_trial, augment)
        assert (found.x.shape, found.x.dtype) == (data.train.x.shape, data.train.x.dtype)
        assert not torch.equal(found.x, data.train.x)
    assert augmented(data, make_trial, changes).x.isfinite().all()
