"""Which combinations are tested side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.config.schema import Lion
from sweeper.config.space import Space
from sweeper.errors import InputError
from sweeper.lr_range.variants import Wanted, variants

SPACE = """\
name: two
optimizer:
  choice:
    - {name: adamw, lr: {log: [1e-4, 1e-2]}, beta1: 0.8}
    - {name: sgd, lr: {log: [1e-3, 1.0]}, momentum: 0.95}
training: {batch_size: 64}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """A space with two optimizers."""
    (tmp_path / "two.yaml").write_text(SPACE)
    return Space.load(tmp_path / "two.yaml", ["training.batch_size=48"])


def test_every_combination_optimizer_by_optimizer(space: Space) -> None:
    """What was not asked for stays as in the default config, and is not told."""
    found = variants(space, [], Wanted(optimizers="sgd, adamw", weight_decays="0,1e-2", batch_sizes="16"), 100)
    assert [variant.subject for variant in found] == [
        f"{name}, weight_decay {decay}, batch_size 16" for name in ("sgd", "adamw") for decay in ("0", "0.01")
    ]
    assert [variant.config.optimizer.weight_decay for variant in found] == [0, 1e-2, 0, 1e-2]
    assert {variant.config.training.batch_size for variant in found} == {16}
    assert [variant.settings for variant in variants(space, [], Wanted(weight_decays="1e-3,1e-3"), 100)] == [{"weight_decay": 1e-3}]


def test_other_keys_are_the_space_s_where_it_has_the_optimizer(space: Space) -> None:
    """Also those of an optimizer that the default config has not; a new one has its own defaults; overrides hold for all."""
    sgd, adamw, lion = variants(space, ["training.batch_size=48"], Wanted(optimizers="sgd,adamw,lion"), 100)
    assert (getattr(sgd.config.optimizer, "momentum", None), getattr(adamw.config.optimizer, "beta1", None)) == (0.95, 0.8)
    assert lion.config.optimizer == Lion()
    assert {variant.config.training.batch_size for variant in (sgd, adamw, lion)} == {48}


def test_nothing_asked_for_is_the_default_config(space: Space) -> None:
    """One test, and it is not shown as one of several."""
    (only,) = variants(space, [], Wanted(), 100)
    assert (only.config, only.settings) == (space.base, {})
    assert not Wanted()
    assert Wanted(batch_sizes="32")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted(optimizers="adamw,sdg"), r'--optimizers.*"sdg".*adamw, adam.*did you mean "sgd"'),
        (Wanted(optimizers=""), r"--optimizers"),
        (Wanted(weight_decays="0,-1"), r'--weight-decays.*"-1".*from 0 up'),
        (Wanted(weight_decays="inf"), r"--weight-decays"),
        (Wanted(weight_decays="a"), r'--weight-decays.*"a"'),
        (Wanted(batch_sizes="0"), r'--batch-sizes.*"0".*1 to 100'),
        (Wanted(batch_sizes="101"), r'--batch-sizes.*"101".*1 to 100'),
        (Wanted(batch_sizes="1.5"), r'--batch-sizes.*"1.5"'),
    ],
)
def test_a_wrong_word_is_told_with_what_is_allowed(wanted: Wanted, told: str, space: Space) -> None:
    """One line a problem, all of them at once."""
    with pytest.raises(InputError, match=told) as caught:
        variants(space, [], wanted, 100)
    assert len(caught.value.problems) == 1


def test_all_problems_are_told_at_once(space: Space) -> None:
    """Of every option."""
    with pytest.raises(InputError) as caught:
        variants(space, [], Wanted("adma", "x,-2", "0"), 100)
    assert len(caught.value.problems) == 4
