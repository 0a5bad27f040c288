"""Random search."""

from __future__ import annotations

import pytest

from sweeper.search.study import Study
from tests.search.simulate import MLP, all_trials, falling, search, space


@pytest.mark.parametrize("shapes", ["auto", 5, "trials"])
def test_random_configs_do_not_depend_on_workers_or_lanes(shapes: object) -> None:
    """One worker and four interleaved ones with three lanes train the same configs with the same seeds."""
    alone = search(Study(space(sampler="random", shapes=shapes), 40), falling)
    many = search(Study(space(sampler="random", shapes=shapes), 40), falling, workers=4, lanes=3)

    def by_number(past: list) -> list:
        return [record.trial for record in sorted(past, key=lambda record: record.trial.number)]

    assert [record.trial.number for record in many] != list(range(40))
    assert by_number(alone) == by_number(many)


@pytest.mark.parametrize("shapes", ["auto", 5, "trials"])
def test_a_longer_random_sweep_starts_with_the_shorter_one(shapes: object) -> None:
    """64 trials are the first 64 of 128."""
    short = all_trials(Study(space(sampler="random", shapes=shapes), 64), [1, 3, 2])
    long = all_trials(Study(space(sampler="random", shapes=shapes), 128))
    assert short == long[:64]


def test_the_search_seed_fixes_the_configs() -> None:
    """Another search seed gives other configs (but the default) and other training seeds."""
    first, other = (all_trials(Study(space(sampler="random", seed=seed), 32)) for seed in (0, 1))
    assert not {str(trial.values) for trial in first[1:]} & {str(trial.values) for trial in other[1:]}
    assert not {trial.seed for trial in first} & {trial.seed for trial in other}


def test_a_new_parameter_leaves_the_draws_of_the_others_alone() -> None:
    """A value is keyed by its parameter's name: adding a parameter to a space does not reshuffle the rest."""
    more = all_trials(Study(space(MLP.replace("epochs: 20", "epochs: 20, label_smoothing: {uniform: [0.0, 0.2]}"), sampler="random"), 32))
    less = all_trials(Study(space(sampler="random"), 32))
    for with_it, without in zip(more, less, strict=True):
        assert {name: value for name, value in with_it.values.items() if name != "training.label_smoothing"} == without.values
