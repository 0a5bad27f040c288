"""Numbering, duplicates and forbidden combinations."""

from __future__ import annotations

import json

import pytest

from sweeper.errors import InputError
from sweeper.search.study import Study
from sweeper.trial import Trial
from tests.search.simulate import MLP, all_trials, space

SAMPLERS = ["random", "tpe"]


def configs(trials: list[Trial]) -> set[str]:
    """The distinct configs among these."""
    return {json.dumps(trial.values, sort_keys=True) for trial in trials}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_first_trial_is_the_default_config(sampler: str) -> None:
    """Trial 0 is the default config, so that the winner is never worse than it."""
    found = space(sampler=sampler)
    first, *_ = Study(found, 8).ask()
    assert first.values == found.default(seed=first.seed).values
    assert first.config["training"]["seed"] == first.seed


@pytest.mark.parametrize(("sampler", "shapes", "count"), [("random", "auto", 11), ("tpe", "auto", 18), ("random", 3, 3), ("tpe", 3, 3)])
def test_blocks_share_a_shape(sampler: str, shapes: object, count: int) -> None:
    """Trials of one block have one shape, and about as many shapes are drawn as asked for."""
    trials = all_trials(Study(space(sampler=sampler, shapes=shapes), 40))
    by_block: dict[int, set[str]] = {}
    for trial in trials:
        by_block.setdefault(trial.block, set()).add(trial.shape)
    assert all(len(shapes) == 1 for shapes in by_block.values())
    assert len(by_block) == count


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_config_comes_twice_before_all_have_come(sampler: str) -> None:
    """A space of 12 configs gives 12 different ones in 12 trials, and goes on when they are used up."""
    text = "name: a\nmodel: {width: {choice: [32, 64]}, depth: {int: [1, 2]}, dropout: {choice: [0.0, 0.1, 0.2]}}\n"
    trials = all_trials(Study(space(text, sampler=sampler), 20))
    assert len(configs(trials[:12])) == 12
    assert len(trials) == 20
    assert len({trial.seed for trial in trials}) == 20


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_forbidden_combinations_are_never_drawn(sampler: str) -> None:
    """Neither a shape nor a sibling matches a rule of ``forbid``."""
    rules = """
forbid:
  - {model.width: 128}
  - {optimizer.name: sgd, model.depth: [1, 3, 4]}
  - {model.norm: [batch, layer], optimizer.lr: {'<': 1e-3}}
"""
    for trial in all_trials(Study(space(MLP + rules, sampler=sampler), 40)):
        model, optimizer = trial.config["model"], trial.config["optimizer"]
        assert model["width"] != 128
        assert optimizer["name"] == "adamw" or model["depth"] == 2
        assert model["norm"] == "none" or optimizer["lr"] >= 1e-3


def test_rules_that_leave_nothing_but_the_default_are_told() -> None:
    """When the rules leave (nearly) nothing to draw, the error names ``forbid``, after the trials that could be drawn."""
    rules = "forbid: [{optimizer.lr: {'>': 1.0001e-3}}, {optimizer.lr: {'<': 0.9999e-3}}]\n"
    text = "name: a\nmodel: {width: {choice: [32, 64]}}\noptimizer: {name: adamw, lr: {log: [1e-9, 1e9], default: 1e-3}}\n"
    study = Study(space(text + rules, sampler="random"), 8)
    assert [trial.number for trial in study.ask()] == [0]
    with pytest.raises(InputError, match="forbid"):
        study.ask()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_shape_without_new_configs_gives_way_to_another(sampler: str) -> None:
    """Siblings that find nothing new under their shape have another one, in the same batch."""
    text = "name: a\nmodel: {width: {int: [1, 500]}, dropout: {choice: [0.0, 0.1]}}\n"
    study = Study(space(text, sampler=sampler), 24)
    batch = [study.ask(8) for _ in range(9)][-1]
    assert [trial.number for trial in batch] == list(range(16, 24))
    assert len({trial.shape for trial in batch[:2]}) == 1
    assert len({trial.shape for trial in batch}) == 7
    assert len(configs(batch)) == 8
