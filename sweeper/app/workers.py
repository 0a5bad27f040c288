"""Where the trials of a sweep are trained: on this machine's own processes, by Ray's workers, or here until Ray is worth its start."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy.engine import make_url

from sweeper.app.desk import LedgerDesk, open_desk
from sweeper.app.home import Home
from sweeper.app.naming import Action
from sweeper.app.resources import Slots
from sweeper.app.training import make_train
from sweeper.errors import StaleWriterError, SweeperError
from sweeper.ledger.owner import Owner
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.runners.calls import SharedDesk
from sweeper.runners.local import Helpers, run

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset
    from sweeper.runners.ray_tune import Cluster

LOOK_S = 0.2
"""Between two looks at whether a trial has closed."""

KNOWN_S = 3.0
"""So long it trains before it judges how much is left."""

HELP_S = 10.0
"""So much time helpers must save: each imports torch for about 3 s of a core, early estimates are high, and one process is repeatable."""

MOST_HELPERS = 7
"""Each takes a third of a gigabyte, and asks this process for its trials."""

WORTH_S = 10.0
"""So much time Ray's workers must save: on two cores their start takes both of them for 7 s."""

LONG_S = 120.0
"""What is left of a sweep so long is Ray's in any case: it replaces a worker that dies, and shows what each does."""


class Workers:
    """Trains a sweep's open trials.

    For the block of a ``with``. Under ``auto`` a new sweep begins in this process, since half of Ray's time is start-up that small sweeps
    need not wait for. Where there is room for several workers,

    - helper processes join it when they would save ``HELP_S`` of what is left;
    - it goes to Ray when that would save ``WORTH_S``, or ``LONG_S`` are left;
    - it goes to Ray at once when it was begun before (whatever ended it then may have been a trial, and a worker is the better place for
      that one), when trials get GPUs, and when ``RAY_ADDRESS`` names a cluster.

    Args:
        runner: ``auto``, ``ray`` or ``local``, which is this process alone.
        name: the sweep's.
        action: what is to be done with it.
        room: for its workers.
    """

    def __init__(self, runner: str, name: str, action: Action, room: Slots) -> None:
        self._name = name
        self._room = room
        elsewhere = action is not Action.CREATE or room.gpus or os.environ.get("RAY_ADDRESS")
        self._begins_here = runner == "local" or (runner == "auto" and not elsewhere)
        self._goes_on_here = runner == "local" or room.workers == 1
        self._cluster: Cluster | None = None
        self._ray = ExitStack()

    def __enter__(self) -> Self:
        """Ray begins to start, if it is known already that it will be needed."""
        if not self._begins_here:
            self._call_ray()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ray.close()

    @property
    def count(self) -> int | None:
        """How many there will be; None while that is open, or Ray's to say."""
        if self._begins_here:
            return 1 if self._goes_on_here else None
        return self._room.workers

    def stop(self) -> None:
        """Begin to stop Ray, if it runs; leaving the block waits for it."""
        if self._cluster is not None:
            self._cluster.stop()

    def train(self, home: Home, ledger: Ledger, writer: Writer, data: Dataset) -> Writer:
        """Train until nothing is open.

        Returns:
            The sweep's writer: another one than before when Ray took over on the way.
        """
        if self._begins_here:
            if self._train_here(home, ledger, writer, data):
                return writer
            # Ray's workers have a desk of their own. What was in hand here is orphaned and taken up there: it is nobody's fault.
            writer.release_owner()
            writer = ledger.claim(writer.sweep, Owner.here())
        try:
            self._train_on_ray(home, ledger, writer, data)
        except BaseException:
            with suppress(StaleWriterError):  # the caller's may be an older one
                writer.release_owner()
            raise
        return writer

    def _call_ray(self) -> None:
        from sweeper.runners.ray_tune import Cluster

        self._cluster = self._ray.enter_context(Cluster(self._name))

    def _train_here(self, home: Home, ledger: Ledger, writer: Writer, data: Dataset) -> bool:
        """Whether nothing is left; else Ray is up."""
        trainer = partial(make_train, home.sweep_dir(writer.sweep) / "checkpoints", self._room.device)
        desk = SharedDesk(self._desk_of(home, writer)())
        with Helpers(desk, trainer, data) as helpers:
            return run(desk, trainer(data), until=self._until_ray(ledger, writer.sweep, helpers), helped=helpers.at_work)

    def _until_ray(self, ledger: Ledger, sweep: str, helpers: Helpers) -> Iterator[bool]:
        """Asked about once a second: whether Ray takes over now. Helpers are started on the way."""
        began, before = time.monotonic(), ledger.counts(sweep).closed
        while self._goes_on_here or self._cluster is None:
            yield False
            trained = time.monotonic() - began
            if self._goes_on_here or trained < KNOWN_S:
                continue
            left, here, room = _left(ledger, sweep, before, trained), 1 + len(helpers), self._room.workers or 1
            most = min(room, 1 + MOST_HELPERS)
            if left > LONG_S or (here == most and _saved(left, here, room) > WORTH_S):
                self._call_ray()
            elif _saved(left, here, most) > HELP_S:
                helpers.start(most - here)
                began, before = time.monotonic(), ledger.counts(sweep).closed
        tune = threading.Thread(target=import_module, args=["sweeper.runners.ray_tune.driver"], name="sweeper-tune", daemon=True)
        tune.start()
        while not self._cluster.begun or tune.is_alive():
            yield False
        yield True

    def _desk_of(self, home: Home, writer: Writer) -> Callable[[], LedgerDesk]:
        """What makes the desk, in this process or in another; it holds no password."""
        safe_url = make_url(home.ledger_url).set(password=None).render_as_string()
        return partial(open_desk, safe_url, writer.sweep, writer.epoch, self._room.device)

    def _train_on_ray(self, home: Home, ledger: Ledger, writer: Writer, data: Dataset) -> None:
        from sweeper.runners import ray_tune

        with _exporter_imported(ledger, writer.sweep):
            ray_tune.run(
                self._desk_of(home, writer),
                partial(make_train, home.sweep_dir(writer.sweep) / "checkpoints", self._room.device),
                data,
                workers=self._room.workers,
                cpus_per_worker=self._room.cpus,
                gpus_per_worker=self._room.gpus,
                name=writer.sweep,
                home=home.sweep_dir(writer.sweep),
                cluster=self._cluster,
            )


def _saved(left: float, here: int, there: int) -> float:
    """Seconds that so many workers would save of what takes so many seconds here."""
    return left - left * here / there


def _left(ledger: Ledger, sweep: str, before: int, trained: float) -> float:
    """Seconds that the open trials would take at the pace so far."""
    counts = ledger.counts(sweep)
    closed = counts.closed - before
    return trained / closed * (counts.target - counts.closed) if closed else math.inf


@contextmanager
def _exporter_imported(ledger: Ledger, sweep: str) -> Iterator[None]:
    """Imports what the winner's export needs, torch above all, in a thread while the block trains: the end need not wait a second for it.

    Begins when a trial has closed, so that the workers' start, which is imports too, goes first.
    """
    before, over = ledger.counts(sweep).closed, threading.Event()

    def ahead() -> None:
        with suppress(SweeperError):  # it is only ahead of time
            while ledger.counts(sweep).closed == before:
                if over.wait(LOOK_S):
                    return
            import_module("sweeper.production.insight")

    thread = threading.Thread(target=ahead, name="sweeper-ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
