"""Spaces: drawing, conditions, rules, defaults, identity."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.config.distributions import Auto, Choice, Int, Log, Uniform
from sweeper.config.files import dump_config, find_space, load_config, tree_of
from sweeper.config.schema import AdamW, Mlp, Sgd
from sweeper.config.space import Forbidden, Leaf, Resolved, Space
from sweeper.config.strict_yaml import dump
from sweeper.config.vetting import sample
from sweeper.trial import Scalar

SHIPPED = ("mlp", "cnn")

NORMED = """\
name: a
model:
  norm: {choice: [none, batch, layer]}
  activation: {choice: [tanh, gelu], when: {model.norm: [batch, layer]}}
  depth: {int: [1, 5]}
  width: {choice: [8, 16, 32], when: {model.depth: {">=": 3, "<": 5}}}
  dropout: {uniform: [0.1, 0.5], when: {model.activation: gelu}}
"""

TREES = """\
name: a
model: {depth: {int: [1, 2]}}
optimizer:
  choice:
    - {name: adamw, lr: {log: [1e-5, 1e-2]}, weight_decay: {log: [1e-4, 1e-1]}}
    - {name: sgd, lr: {log: [0.05, 0.5]}, momentum: {uniform: [0.8, 0.9]}}
training: {batch_size: {choice: [32, 64], when: {optimizer.name: sgd}}}
"""


def parse(text: str, *overrides: str) -> Space:
    """A space from text."""
    return Space.parse(text, "s.yaml", overrides)


def fixed(values: dict[str, Scalar]) -> Callable[[Leaf], Scalar]:
    """Answers by name; fails for a leaf that should not be asked."""
    return lambda leaf: values[leaf.name]


def randomly(seed: int) -> Callable[[Leaf], Scalar]:
    """Answers every leaf with a random value."""
    return sample(random.Random(seed))  # noqa: S311 - not for secrets


def draw(space: Space, seed: int) -> Resolved | None:
    """A random config, None when it is forbidden."""
    try:
        return space.resolve(randomly(seed), seed=seed)
    except Forbidden:
        return None


def at(config: Any, path: str) -> Any:
    """The value under a dotted path of a config."""
    for part in path.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_is_drawn_from(name: str) -> None:
    """Draws differ, stay inside their distributions, keep the seed, and are complete configs."""
    space = Space.load(find_space(name))
    drawn = [resolved for seed in range(50) if (resolved := draw(space, seed)) is not None]
    assert len({dump_config(resolved.config) for resolved in drawn}) == len(drawn) > 30
    assert {resolved.config.name for resolved in drawn} == {name}


def test_structure_is_asked_before_scalars_and_parents_before_children() -> None:
    """The architecture is drawn first; only active leaves are asked."""
    space = parse(TREES)
    assert [leaf.name for leaf in space.leaves] == [
        "model.depth",
        "optimizer",
        "training.batch_size",
        "optimizer.adamw.lr",
        "optimizer.adamw.weight_decay",
        "optimizer.sgd.lr",
        "optimizer.sgd.momentum",
    ]
    asked: list[str] = []

    def suggest(leaf: Leaf) -> Scalar:
        asked.append(leaf.name)
        return "adamw" if leaf.name == "optimizer" else leaf.distribution.ends()[0]

    space.resolve(suggest, seed=0)
    assert asked == ["model.depth", "optimizer", "optimizer.adamw.lr", "optimizer.adamw.weight_decay"]


def test_a_leaf_says_what_it_is() -> None:
    """Name, path, distribution and whether it fixes the shape."""
    leaves = {leaf.name: leaf for leaf in parse(TREES).leaves}
    assert leaves["optimizer"] == Leaf("optimizer", "optimizer", Choice(("adamw", "sgd")), structural=True)
    assert leaves["optimizer.sgd.lr"] == Leaf("optimizer.sgd.lr", "optimizer.lr", Log(0.05, 0.5), structural=False)
    assert leaves["model.depth"] == Leaf("model.depth", "model.depth", Int(1, 2), structural=True)


def test_a_learning_rate_may_be_left_to_a_range_test() -> None:
    """Its default is nobody's before it was tested, and the default config has the schema's meanwhile, within the user's own range."""
    space = parse("name: a\noptimizer: {choice: [{name: sgd, lr: auto}, {name: adamw, lr: {auto: [2e-3, 2e-1]}}]}")
    sgd, adamw = (leaf for leaf in space.leaves if leaf.path == "optimizer.lr")
    assert (sgd.distribution, adamw.distribution) == (Auto(1e-2), Auto(1e-3, (2e-3, 2e-1)))
    assert (space.usual(sgd), space.usual(adamw)) == (None, None)
    assert space.base.optimizer == Sgd(lr=1e-2)
    assert space.under({"optimizer": "adamw"}).optimizer.lr == pytest.approx(2e-2)
    assert space.identity()["optimizer.adamw.lr"] == {"auto": [2e-3, 2e-1], "default": None}
    assert space.combinations() is None
    assert {config.optimizer.lr for config in space.corners()} == {1e-3, 1e-1, 2e-3, 2e-1}


def test_a_sub_tree_brings_its_own_ranges() -> None:
    """The chosen mapping is the whole optimizer."""
    space = parse(TREES)
    resolved = space.resolve(
        fixed({"model.depth": 1, "optimizer": "sgd", "training.batch_size": 32, "optimizer.sgd.lr": 0.07, "optimizer.sgd.momentum": 0.85}),
        seed=5,
    )
    assert resolved.config.optimizer == Sgd(lr=0.07, momentum=0.85)
    assert resolved.config.training.seed == 5
    assert resolved.values["optimizer"] == "sgd"
    adamw = space.resolve(
        fixed({"model.depth": 1, "optimizer": "adamw", "optimizer.adamw.lr": 1e-3, "optimizer.adamw.weight_decay": 0.01}), seed=5
    )
    assert adamw.config.optimizer == AdamW(lr=1e-3, weight_decay=0.01)
    assert adamw.config.training.batch_size == 64


def test_sub_trees_of_one_name_are_numbered() -> None:
    """Two ranges for one optimizer are told apart by their positions."""
    space = parse("name: a\noptimizer: {choice: [{lr: {log: [1e-5, 1e-4]}}, {lr: {log: [1e-3, 1e-2]}}], default: '1'}\n")
    assert [leaf.name for leaf in space.leaves] == ["optimizer", "optimizer.0.lr", "optimizer.1.lr"]
    assert space.base.optimizer.lr == 1e-3


def test_a_condition_that_does_not_hold_leaves_the_schema_default() -> None:
    """Conditions on values and comparisons, also one behind another."""
    space = parse(NORMED)
    off = space.resolve(fixed({"model.norm": "none", "model.depth": 5}), seed=0)
    assert off.config.model == Mlp(norm="none", depth=5)
    on = space.resolve(
        fixed({"model.norm": "layer", "model.activation": "gelu", "model.depth": 4, "model.width": 8, "model.dropout": 0.3}), seed=0
    )
    assert on.config.model == Mlp(norm="layer", activation="gelu", depth=4, width=8, dropout=0.3)
    assert set(off.values) == {"model.norm", "model.depth"}


def test_a_choice_of_sub_trees_may_be_conditional() -> None:
    """Without its condition the section is the schema's default."""
    space = parse("name: a\nmodel: {depth: {int: [1, 2]}}\noptimizer: {choice: [{name: sgd}, {lr: 0.5}], when: {model.depth: 2}}\n")
    assert space.resolve(fixed({"model.depth": 1}), seed=0).config.optimizer == AdamW()
    assert space.resolve(fixed({"model.depth": 2, "optimizer": "sgd"}), seed=0).config.optimizer == Sgd()
    assert space.combinations() == 3


def test_a_value_outside_its_distribution_is_a_mistake_of_the_sampler() -> None:
    """A wrong suggestion does not become a config."""
    with pytest.raises(ValueError, match=r"model\.depth: 9 was drawn"):
        parse(TREES).resolve(fixed({"model.depth": 9}), seed=0)


def test_a_forbidden_combination_is_not_drawn() -> None:
    """Rules on the shape are known before the scalars; all others at the end."""
    text = "name: a\nmodel: {depth: {int: [1, 4]}, width: {choice: [8, 16]}, dropout: {uniform: [0.0, 0.5]}}\n"
    space = parse(text + "forbid: [{model.depth: {'>=': 3}, model.width: 16}, {model.depth: 1, model.dropout: {'<': 0.1}}]\n")
    with pytest.raises(Forbidden, match=r"model\.depth: \{>=: 3\}, model\.width: \[16\]"):
        space.structure(fixed({"model.depth": 3, "model.width": 16}))
    assert space.structure(fixed({"model.depth": 1, "model.width": 16})) == {"model.depth": 1, "model.width": 16}
    with pytest.raises(Forbidden, match=r"model\.dropout"):
        space.resolve(fixed({"model.depth": 1, "model.width": 8, "model.dropout": 0.05}), seed=0)


def test_a_draw_whose_keys_clash_is_forbidden() -> None:
    """What would not train is not drawn, also where no option and no bound shows it."""
    text = "name: a\noptimizer: {name: sgd, nesterov: {choice: [true, false]}, momentum: {choice: [0.9, 0.0, 0.8]}}\n"
    space = parse(text)
    with pytest.raises(Forbidden, match="momentum 0 with nesterov"):
        space.resolve(fixed({"optimizer.nesterov": True, "optimizer.momentum": 0.0}), seed=0)
    assert space.combinations() == 5
    assert parse(text + "forbid: [{optimizer.nesterov: {'!=': false}}]\n", "optimizer.nesterov={choice: [false, true]}").combinations() == 3


def test_a_rule_on_a_key_of_another_sub_tree_does_not_match() -> None:
    """What the drawn optimizer does not have cannot be forbidden."""
    space = parse(
        "name: a\noptimizer: {choice: [{lr: 0.1}, {name: sgd, momentum: {uniform: [0.0, 0.9]}}]}\n"
        "forbid: [{optimizer.momentum: {'<': 0.8}}]\n"
    )
    assert space.default(seed=0).config.optimizer == AdamW(lr=0.1)
    with pytest.raises(Forbidden):
        space.resolve(fixed({"optimizer": "sgd", "optimizer.sgd.momentum": 0.5}), seed=0)


def test_the_default_config_takes_defaults_then_the_learning_rate_of_the_schema_then_middles() -> None:
    """The base needs no drawing."""
    text = """\
name: a
model: {width: {choice: [8, 16], default: 16}, depth: {int: [1, 4]}, dropout: {uniform: [0.0, 0.5]}, norm: {choice: [layer, none]}}
optimizer: {lr: {log: [1e-5, 1e-1]}, weight_decay: {log: [1e-4, 1e-2]}}
training: {seed: 7}
"""
    space = parse(text)
    assert space.base.model == Mlp(width=16, depth=2, dropout=0.25, norm="layer")
    assert space.base.optimizer.lr == 1e-3
    assert space.base.optimizer.weight_decay == pytest.approx(1e-3)
    assert space.base.training.seed == 7
    default = space.default(seed=3)
    assert default.config.training.seed == 3
    assert default.values["model.width"] == 16
    assert parse("name: a\nmodel: {dropout: {choice: [0.5, 0.0], default: 0}}\n").base.model.dropout == 0.0
    assert parse("name: a\noptimizer: {lr: {log: [1e-6, 1e-4]}}\n").base.optimizer.lr == pytest.approx(1e-5)


def test_the_shape_is_what_fixes_tensors_and_structure() -> None:
    """Scalars per lane and the seed leave it alone; width, batch size, epochs and the optimizer's family do not."""
    space = parse(TREES)
    values: dict[str, Scalar] = {"model.depth": 1, "optimizer": "adamw", "optimizer.adamw.lr": 1e-3, "optimizer.adamw.weight_decay": 0.01}
    shape = space.resolve(fixed(values), seed=0).shape
    assert space.resolve(fixed(values | {"optimizer.adamw.lr": 1e-4}), seed=9).shape == shape
    assert space.resolve(fixed(values | {"model.depth": 2}), seed=0).shape != shape
    others = ["training.batch_size=32", "training.epochs=3", "optimizer={name: sgd}", "schedule.name=constant", "training.patience=3"]
    assert len({shape, *(parse(TREES, "model.depth=1", other).default(seed=0).shape for other in others)}) == len(others) + 1
    assert len(shape) == 12


@pytest.mark.parametrize("text", [NORMED, TREES])
@pytest.mark.parametrize("overrides", [(), ("training.epochs=12", "optimizer.lr={log: [1e-4, 1e-3]}"), ("model.depth=3", "name=b")])
def test_the_stored_text_gives_the_same_space(text: str, overrides: tuple[str, ...]) -> None:
    """A sweep is resumed from the text that it stored, overrides included."""
    space = parse(text, *overrides)
    again = parse(space.text)
    assert again == space
    assert again.fingerprint() == space.fingerprint()


def test_text_without_overrides_keeps_its_comments() -> None:
    """What a person wrote is stored as it was."""
    assert parse("name: a # mine\n").text == "name: a # mine\n"


def test_identity_ignores_how_much_is_searched_and_with_what() -> None:
    """Trials and resources may change; all else makes another sweep."""
    same = parse(TREES, "search.trials=7", "resources.workers=3", "resources.gpus_per_worker=0.5")
    assert same.identity() == parse(TREES).identity()
    changes = ["search.seed=1", "optimizer.lr=0.1", "model.depth={int: [1, 3]}", "model.depth={int: [1, 2], default: 2}", "data.seed=1"]
    changes += ["forbid=[{model.depth: 2}]", "training.batch_size={choice: [32, 64]}", "name=b", "optimizer.name=sgd"]
    assert len({parse(TREES, change).fingerprint() for change in [*changes, "search.trials=3"]}) == len(changes) + 1


def test_identity_does_not_depend_on_how_it_is_written() -> None:
    """The order of keys, defaults that are spelled out, and 1 for 1.0 are the same sweep."""
    left = parse("name: a\nmodel: {width: 8, depth: {int: [1, 3]}}\ntraining: {clip_norm: 1}\n")
    right = parse("training: {epochs: 30}\nmodel: {depth: {int: [1, 3], step: 1, default: 2}, family: mlp, width: 8}\nname: a\n")
    assert left.identity() == right.identity()
    assert left.leaves == right.leaves


def test_identity_says_what_was_searched() -> None:
    """Each key is told with its value or its distribution, for a diff that people can read."""
    identity = parse(TREES).identity()
    assert identity["optimizer.sgd.momentum"] == {"uniform": [0.8, 0.9], "default": pytest.approx(0.85)}
    assert identity["training.batch_size"]["when"] == {"optimizer.name": ["sgd"]}
    assert identity["data.source"] == "digits"
    assert "search.trials" not in identity


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("name: a\n", 1),
        ("name: a\nmodel: {depth: {int: [1, 4]}, norm: {choice: [none, batch]}}\n", 8),
        ("name: a\nmodel: {depth: {int: [1, 4]}, dropout: {uniform: [0, 0.5]}}\n", None),
        ("name: a\noptimizer: {choice: [{lr: {choice: [0.1, 0.2]}}, {name: sgd, momentum: {choice: [0.8, 0.9, 0.95]}}]}\n", 5),
        ("name: a\nmodel: {depth: {int: [1, 4]}, width: {choice: [8, 16], when: {model.depth: [1, 2]}}}\n", 6),
        ("name: a\nmodel: {depth: {int: [1, 4]}, width: {choice: [8, 16]}}\nforbid: [{model.depth: {'>': 2}, model.width: 16}]\n", 6),
        ("name: a\nmodel: {depth: {int: [1, 2]}, dropout: {uniform: [0, 0.5], when: {model.norm: batch}}}\n", 2),
        ("name: a\nmodel: {width: {int: [1, 60000]}}\n", 60000),
        ("name: a\nmodel: {width: {int: [1, 60000]}}\nforbid: [{model.width: 3}]\n", None),
    ],
)
def test_combinations_are_counted(text: str, count: int | None) -> None:
    """Conditions and rules count; ranges of fractions do not end."""
    assert parse(text).combinations() == count


LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "model.width": st.one_of(
        st.lists(st.integers(1, 512), min_size=2, max_size=4, unique=True).map(lambda options: {"choice": options}),
        st.tuples(st.integers(1, 64), st.integers(1, 64), st.booleans()).map(lambda v: {"int": [v[0], v[0] + v[1]], "log": v[2]}),
    ),
    "model.depth": st.tuples(st.integers(1, 9), st.integers(2, 9), st.integers(1, 2)).map(
        lambda v: {"int": [v[0], v[0] + v[1]], "step": v[2]}
    ),
    "model.dropout": st.tuples(st.floats(0, 0.4), st.floats(0.41, 0.9)).map(lambda v: {"uniform": list(v)}),
    "model.norm": st.permutations(["none", "batch", "layer"]).map(lambda options: {"choice": options}),
    "optimizer.lr": st.tuples(st.floats(1e-8, 1e-3), st.floats(2e-3, 10)).map(lambda v: {"log": list(v)}),
    "training.clip_norm": st.just({"choice": [None, 0.5, 1.0]}),
    "training.batch_size": st.just({"choice": [32, 64], "when": {"model.norm": ["batch", "layer"]}}),
}


@given(st.fixed_dictionaries({}, optional=LEAVES), st.integers(0, 2**31))
@settings(max_examples=60)
def test_every_draw_stays_inside_its_distributions(leaves: dict[str, Any], seed: int) -> None:
    """Whatever the space, a drawn leaf holds a value of its distribution, an undrawn one its fixed value or the schema's default."""
    tree: dict[str, Any] = {"name": "a"}
    for path, distribution in leaves.items():
        section, _, name = path.partition(".")
        tree.setdefault(section, {})[name] = distribution
    space = parse(dump(tree))
    assert space == parse(space.text)
    resolved = space.resolve(randomly(seed), seed=seed)
    for leaf in space.leaves:
        value = at(resolved.config, leaf.path)
        if leaf.name in resolved.values:
            assert value == resolved.values[leaf.name]
            assert leaf.distribution.contains(value)
        else:
            assert value == at(parse("name: a\n").base, leaf.path)
    assert resolved.config.training.seed == seed
    assert {leaf.name for leaf in space.leaves if isinstance(leaf.distribution, Uniform | Log)} <= {"model.dropout", "optimizer.lr"}


@given(st.integers(0, 2**31))
def test_a_drawn_config_survives_its_file(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Writing and reading a config changes nothing, bit for bit."""
    resolved = draw(Space.load(find_space("mlp")), seed)
    if resolved is not None:
        file = tmp_path_factory.mktemp("config") / "best.yaml"
        file.write_text(dump_config(resolved.config))
        assert load_config(file) == resolved.config
        assert tree_of(load_config(file)) == tree_of(resolved.config)


def test_a_space_is_loaded_from_a_file(tmp_path: Path) -> None:
    """The source is the file's path."""
    file = tmp_path / "a.yaml"
    file.write_text(TREES)
    assert Space.load(file).source == str(file)
    assert Space.load(file, ["name=b"]).name == "b"
