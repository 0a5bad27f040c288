"""Finding spaces, reading and writing configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.config.files import config_from_tree, dump_config, find_space, flat, load_config, tree_of
from sweeper.config.schema import Config, Sgd, Training
from sweeper.errors import InputError


def test_a_local_space_comes_before_a_shipped_one(home: Path) -> None:
    """One's own mlp replaces the shipped mlp."""
    shipped = find_space("mlp")
    assert shipped.is_file()
    (home / "search_spaces").mkdir()
    (home / "search_spaces" / "mlp.yaml").write_text("name: mine")
    assert find_space("mlp") == Path("search_spaces/mlp.yaml")
    assert find_space("cnn").is_file()


def test_a_path_is_taken_as_it_is() -> None:
    """What looks like a path is not looked up."""
    assert find_space("./mine.yaml") == Path("mine.yaml")
    assert find_space("folder/mine") == Path("folder/mine")


@pytest.mark.parametrize(("name", "words"), [("mpl", 'did you mean "mlp"?'), ("xyz", "allowed: cnn, mlp")])
def test_an_unknown_space_is_answered_with_the_known(name: str, words: str, home: Path) -> None:
    """The nearest name, or all of them."""
    with pytest.raises(InputError) as error:
        find_space(name)
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["mlp; rm -rf x", "MLP", "", "$(ls)", "-mlp"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """A command is not a space."""
    with pytest.raises(InputError, match="is not the name of a space"):
        find_space(name)


def test_a_config_is_complete_and_comes_back(tmp_path: Path) -> None:
    """Every key is written, provenance only when there is one."""
    config = Config(
        name="a", optimizer=Sgd(lr=1e-5, momentum=0.1 + 0.2), training=Training(clip_norm=None), provenance={"value": 1e-17, "none": None}
    )
    file = tmp_path / "best.yaml"
    file.write_text(dump_config(config))
    assert load_config(file) == config
    assert "momentum: 0.30000000000000004" in file.read_text()
    assert "provenance" not in tree_of(Config(name="a"))
    assert load_config(str(file), ["training.epochs=1"]).training.epochs == 1


def test_a_short_production_run_is_no_mistake(tmp_path: Path) -> None:
    """The grace period of a search says nothing about training one config."""
    file = tmp_path / "best.yaml"
    file.write_text("name: a\nsearch: {grace_epochs: 5}\n")
    assert load_config(file, ["training.epochs=1"]).training.epochs == 1


def test_a_space_is_no_config(tmp_path: Path) -> None:
    """A file with distributions is refused with what to do instead."""
    file = tmp_path / "a.yaml"
    file.write_text("name: a\nmodel:\n  width: {choice: [1, 2]}\n  depth: {int: [1, 2]}\n")
    with pytest.raises(InputError) as error:
        load_config(file)
    (problem,) = error.value.problems
    assert (problem.line, problem.column) == (3, 3)
    assert "model.width, model.depth" in problem.found
    assert "sweeper sweep" in problem.hint
    assert load_config(file, ["model.width=1", "model.depth=2"]).model.depth == 2


def test_mistakes_of_a_config_have_positions(tmp_path: Path) -> None:
    """Also keys that do not go together."""
    file = tmp_path / "a.yaml"
    file.write_text("name: a\ntask: regression\nsearch: {metric: val_accuracy}\nmodel: {widht: 3}\n")
    with pytest.raises(InputError) as error:
        load_config(file)
    assert [(problem.line, problem.path) for problem in error.value.problems] == [(3, "search.metric"), (4, "model.widht")]


def test_a_trial_crosses_processes_as_plain_data() -> None:
    """A config becomes JSON-safe data and back; other data is refused with a sentence."""
    config = Config(name="a", optimizer=Sgd())
    assert config_from_tree(tree_of(config)) == config
    with pytest.raises(InputError, match=r"model\.mlp\.width"):
        config_from_tree({"name": "a", "model": {"family": "mlp", "width": 0}})


def test_flat_keys_are_dotted() -> None:
    """Nested keys become parameters of a run."""
    assert flat({"model": {"width": 3}, "data": {"drop": ["a", "b"], "split": {"by": "random"}}, "x": None}) == {
        "model.width": 3,
        "data.drop": "[a, b]",
        "data.split.by": "random",
        "x": None,
    }
