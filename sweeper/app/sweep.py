"""``sweeper sweep``: from a space to a winner."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.app.check import first_look
from sweeper.app.checks import placed, prepared
from sweeper.app.existing import known_sweeps
from sweeper.app.finish import close
from sweeper.app.home import Home
from sweeper.app.naming import Action, Choice, choose
from sweeper.app.provenance import git_state, machine, versions
from sweeper.app.resources import slots
from sweeper.app.workers import Workers
from sweeper.config.files import find_space
from sweeper.config.schema import source_kind
from sweeper.config.space import Space
from sweeper.data.sources import BUILT_IN
from sweeper.errors import InputError, StaleWriterError
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Counts, NewSweep, SweepRecord, SweepState, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.tracking import follow
from sweeper.tracking.mirroring import lacking
from sweeper.tracking.terminal import LiveView

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset

DRAIN_SECONDS = 60.0
"""How long the command waits for MLflow after the winner is known."""


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        space: a name or a path.
        overrides: ``key=value`` in the words of the space file.
        trials: in place of ``search.trials``.
        name: of the sweep; default the space's.
        runner: ``auto``, ``ray`` or ``local``; see ``Workers``.
        fresh: start a new sweep whatever there is.
        quiet: print nothing on the way.
        check: look at the data and the space of a new sweep first, and refuse what cannot work.
    """

    space: str
    overrides: Sequence[str] = ()
    trials: int | None = None
    name: str | None = None
    runner: str = "auto"
    fresh: bool = False
    quiet: bool = False
    check: bool = True


@dataclass(frozen=True)
class Finished:
    """What there is to tell at the end.

    Attributes:
        winner: None when no trial completed.
        pending: records that MLflow does not have yet.
        seconds: wall time of this command up to the winner.
        trouble: why MLflow lacks records.
    """

    sweep: SweepRecord
    counts: Counts
    winner: TrialRecord | None
    pending: int
    seconds: float
    trouble: str | None = None

    @property
    def exit_code(self) -> int:
        """0 done; 3 when no trial completed, some failed for other than diverging, or MLflow lacks records."""
        return 3 if self.winner is None or self.counts.failed or self.pending or self.sweep.state is not SweepState.COMPLETE else 0


def sweep(request: Request, tell: Callable[[str], None], announce: Callable[[Finished], None]) -> Finished:
    """Create, resume, extend or show a sweep, and drive it to its end.

    Args:
        request: what the user asked for.
        tell: gets what is to be said before the live view, line by line.
        announce: gets the end as soon as the winner is known, while MLflow is still being written.

    Returns:
        The end, with what MLflow lacks.

    Raises:
        InputError: bad input; nothing has been created.
        SweepHeldError: another process drives this sweep.
        InfrastructureError: a store or the cluster failed; the same command resumes.
    """
    started = time.monotonic()
    home = Home.from_environment()
    overrides = [*request.overrides, *([f"search.trials={request.trials}"] if request.trials is not None else [])]
    space = Space.load(find_space(request.space), overrides)
    choice = choose(space, known_sweeps(home), name=request.name, fresh=request.fresh)
    for note in choice.notes:
        tell(note)
    if choice.action is Action.SHOW:
        ledger = Ledger.open(home.ledger_url)
        shown = finished(ledger, choice.name, lacking(ledger, choice.name), started)
        announce(shown)
        return shown
    with placed(choice.space):
        room = slots(choice.space.base.resources, choice.space.source, cluster=bool(os.environ.get("RAY_ADDRESS")))
    # What a user brings is checked before anything is started; a built-in set cannot be bad, and is loaded while Ray starts.
    ready = None if choice.space.base.data.source in BUILT_IN else _ready(request, choice, tell)
    with Workers(request.runner, choice.name, choice.action, room) as workers, follow.start(choice.name) as follower:
        data, checks = _ready(request, choice, tell) if ready is None else ready
        ledger = Ledger.open(home.ledger_url)
        writer = claimed(home, ledger, choice, data, checks)
        try:
            follower.begin()
            with LiveView(ledger, choice.name, workers=workers.count, quiet=request.quiet):
                if ledger.known(choice.name).state is SweepState.OPEN and ledger.counts(choice.name).unfinished:
                    writer = workers.train(home, ledger, writer, data)
                workers.stop()
                close(home, ledger, writer, data)
        finally:
            with suppress(StaleWriterError):  # somebody else has it already
                writer.release_owner()
        known = finished(ledger, choice.name, 0, started)
        announce(known)
        return replace(known, pending=follower.drain(DRAIN_SECONDS), trouble=follower.error)


def claimed(home: Home, ledger: Ledger, choice: Choice, data: Dataset, checks: Mapping[str, str]) -> Writer:
    """Create the sweep if it is new, and become its only writer.

    Args:
        home: where everything is.
        ledger: keeps the sweep.
        choice: which.
        data: its data.
        checks: what ``first_look`` told, if it was asked.

    Raises:
        InputError: the data is not what the sweep was started with.
        SweepHeldError: another process drives it.
    """
    space = choice.space
    if choice.action is Action.CREATE:
        ledger.create_sweep(
            NewSweep(
                name=choice.name,
                space=space.text,
                fingerprint=space.fingerprint(),
                metric=space.base.search.metric,
                target=space.base.search.trials,
                facts=_facts(home, space, data, checks),
            )
        )
    record = ledger.known(choice.name)
    if record.facts["data_hash"] != data.hash:
        found = f"the data of {choice.name} changed since it was started"
        raise InputError.of(space.source, "data.source", found, "the same data", "or --fresh to start a new sweep on the new data")
    writer = ledger.claim(choice.name, Owner.here())
    if space.base.search.trials > record.target or record.state is SweepState.BROKEN:
        writer.extend(max(space.base.search.trials, record.target))
    return writer


def finished(ledger: Ledger, name: str, pending: int, started: float) -> Finished:
    """The end of a sweep as the ledger has it."""
    return Finished(ledger.known(name), ledger.counts(name), ledger.best(name), pending, time.monotonic() - started)


def _facts(home: Home, space: Space, data: Dataset, checks: Mapping[str, str]) -> dict[str, Any]:
    from sweeper.preflight.baseline import baseline

    line = baseline(data, seed=space.base.data.seed)
    name = data.summary["source"]
    return {
        "experiment": space.name,
        "source": space.source,
        "data_hash": data.hash,
        **(_source(home, name) if source_kind(space.base.data.source) in ("file", "folder") else {"data_source": name}),
        "data": {**data.summary, **({"checks": checks} if checks else {})},
        "baseline": {"name": line.name, **line.val, **line.test},
        "versions": versions(),
        **git_state(),
        **machine(),
    }


def _source(home: Home, name: str) -> dict[str, str]:
    """The path of a file or folder, so that it is known for one again, and of a relative one the folder that it is seen from."""
    shown = home.shown(Path(name).absolute())
    found = {"data_source": shown if source_kind(shown) is not None else f"./{shown}"}
    return found if Path(shown).is_absolute() else {**found, "data_folder": str(Path.cwd())}


def _ready(request: Request, choice: Choice, tell: Callable[[str], None]) -> tuple[Dataset, dict[str, str]]:
    """The data, and what a look at it before a new sweep begins has found.

    Raises:
        InputError: it cannot be used, or a check fails.
    """
    data = prepared(choice.space)
    asked = choice.action is Action.CREATE and request.check
    return data, first_look(choice.space, data, tell) if asked else {}
