"""The largest weight decay that still allows a high learning rate."""

from __future__ import annotations

import numpy as np

from sweeper.config.schema import AdamW, Config
from sweeper.data.dataset import Dataset
from sweeper.lr_range.decay import readings
from sweeper.lr_range.result import LrRangeResult
from sweeper.lr_range.run import lr_range_test
from sweeper.lr_range.variants import Variant

MLP = Config(name="mlp")


def decayed(decay: float) -> Variant:
    """The default MLP with another decay."""
    return Variant(MLP.model_copy(update={"optimizer": AdamW(weight_decay=decay)}), {"weight_decay": decay})


def ladders(found: list[Variant], digits: Dataset) -> list[LrRangeResult]:
    """Range tests of them."""
    return [lr_range_test(variant.config, digits, seeds=2, probe=None, settings=variant.settings) for variant in found]


def test_a_decay_that_ruins_the_validation_loss_is_not_allowed(digits: Dataset) -> None:
    """Of 0, 1e-3 and 100, at the highest rate that one of them allows, the second is the largest that costs nothing."""
    found = [decayed(decay) for decay in (100.0, 0.0, 1e-3)]
    results = ladders(found, digits)
    (reading,) = readings(found, results, digits)
    assert reading.decays == (0.0, 1e-3, 100.0)
    assert reading.largest == 1e-3
    assert reading.lr == max(result.max_lr or 0 for result in results)
    assert reading.losses.shape == (3, 3)
    assert np.all(reading.losses[:, 2] > 2 * reading.losses[:, 0])
    assert "weight decay up to 0.001 costs no validation loss" in reading.sentence
    assert reading.as_dict()["weight_decays"] == [0.0, 1e-3, 100.0]


def test_a_single_decay_says_nothing(digits: Dataset) -> None:
    """Nor does a test without an answer."""
    found = [decayed(1e-3)]
    assert readings(found, ladders(found, digits), digits) == []
    assert readings([Variant(MLP, {"batch_size": 64})] * 2, ladders([Variant(MLP, {})] * 2, digits), digits) == []
