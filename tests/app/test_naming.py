"""Which sweep a command means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sweeper.app.naming import Action, choose
from sweeper.config.space import Space
from sweeper.errors import InputError
from sweeper.ledger.records import SweepRecord, SweepState

TEXT = "name: mlp\nmodel: {family: mlp, width: {choice: [8, 16]}}\nsearch: {trials: 8}\n"
SPACE = Space.parse(TEXT, "mlp.yaml")
WIDER = Space.parse(TEXT.replace("[8, 16]", "[8, 32]"), "mlp.yaml")


def record(name: str, state: SweepState, space: Space = SPACE, target: int = 8) -> SweepRecord:
    """A sweep as the ledger tells it."""
    metric = space.base.search.metric
    return SweepRecord(name, space.text, space.fingerprint(), metric, target, state, 1, None, 0.0, None, {})


def chosen(space: Space, records: Sequence[SweepRecord] = (), name: str | None = None, *, fresh: bool = False) -> tuple[str, Action]:
    """Name and action."""
    choice = choose(space, records, name=name, fresh=fresh)
    return choice.name, choice.action


def test_a_first_sweep_is_created() -> None:
    """Nothing is there: it gets the space's name."""
    assert chosen(SPACE) == ("mlp", Action.CREATE)


def test_an_open_sweep_of_the_same_space_is_resumed() -> None:
    """The same command again goes on."""
    assert chosen(SPACE, [record("mlp", SweepState.OPEN)]) == ("mlp", Action.RESUME)


def test_a_finished_sweep_is_shown_or_extended() -> None:
    """The same command shows it again; more trials extend it."""
    more = Space.parse(TEXT, "mlp.yaml", ["search.trials=16"])
    assert chosen(SPACE, [record("mlp", SweepState.COMPLETE)]) == ("mlp", Action.SHOW)
    assert chosen(more, [record("mlp", SweepState.COMPLETE)]) == ("mlp", Action.EXTEND)


def test_a_sweep_does_not_shrink() -> None:
    """Fewer trials than it has: it stays as it is, and that is said."""
    fewer = Space.parse(TEXT, "mlp.yaml", ["search.trials=4"])
    choice = choose(fewer, [record("mlp", SweepState.OPEN)], name=None, fresh=False)
    assert (choice.action, choice.notes) == (Action.RESUME, ("mlp has 8 trials, more than the 4 asked for",))


def test_fresh_starts_a_new_one() -> None:
    """--fresh takes the next free name, whatever there is."""
    records = [record("mlp", SweepState.COMPLETE), record("mlp-2", SweepState.OPEN)]
    assert chosen(SPACE, records, fresh=True) == ("mlp-3", Action.CREATE)


def test_after_a_change_a_finished_sweep_stays() -> None:
    """The next name starts, and it is said which keys changed."""
    choice = choose(WIDER, [record("mlp", SweepState.COMPLETE)], name=None, fresh=False)
    assert (choice.name, choice.action) == ("mlp-2", Action.CREATE)
    assert any("model.width" in note and "32" in note for note in choice.notes)


def test_after_a_change_an_open_sweep_is_refused_with_the_diff() -> None:
    """Nothing is touched; the message names the key, and the way out."""
    with pytest.raises(InputError, match=r"model\.width.*--fresh"):
        choose(WIDER, [record("mlp", SweepState.OPEN)], name=None, fresh=False)


def test_an_open_sweep_stays_resumable_by_its_name() -> None:
    """--name goes on with the space that the sweep was started with."""
    records = [record("mlp", SweepState.OPEN), record("mlp-2", SweepState.COMPLETE, WIDER)]
    choice = choose(WIDER, records, name="mlp", fresh=False)
    assert (choice.name, choice.action, choice.space.fingerprint()) == ("mlp", Action.RESUME, SPACE.fingerprint())
    assert chosen(WIDER, records) == ("mlp-2", Action.SHOW)


def test_another_familys_name_is_not_ours() -> None:
    """mlp-wide is no member of the family mlp."""
    assert chosen(SPACE, [record("mlp-wide", SweepState.OPEN, WIDER)]) == ("mlp", Action.CREATE)


@pytest.mark.parametrize("name", ["-x", "A", "a b", "mlp; rm -rf x", "x" * 64, "a/b"])
def test_a_bad_name_is_refused(name: str) -> None:
    """Names are for folders, URLs and shells."""
    with pytest.raises(InputError, match="is not a name"):
        choose(SPACE, [], name=name, fresh=False)


def test_trials_and_resources_are_no_part_of_the_identity() -> None:
    """Fewer trials or other workers mean the same sweep."""
    fewer = Space.parse(TEXT, "mlp.yaml", ["search.trials=4", "resources.workers=1"])
    assert chosen(fewer, [record("mlp", SweepState.COMPLETE)]) == ("mlp", Action.SHOW)
