"""A calm live view of a sweep: what is done, what is best, how long it still takes.

What is shown is a pure function of a ``Snapshot``; the view reads one from the ledger twice a second, in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper.errors import SweeperError
from sweeper.ledger.store import Ledger
from sweeper.tracking.flow import Flow
from sweeper.tracking.words import duration, number
from sweeper.trial import Direction, Metric, Scalar

_REFRESH_S = 0.5
_PLAIN_EVERY_S = 5.0
_ENOUGH_FOR_A_GUESS = 3


@dataclass(frozen=True, slots=True)
class Leader:
    """The best trial so far.

    Attributes:
        value: of the sweep's metric, at ``epoch``.
        values: what was sampled.
    """

    number: int
    value: float
    epoch: int
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A sweep at one moment.

    Attributes:
        workers: None when the view was not told.
        target: trials wanted.
        running: trials being trained now.
        elapsed_s: since this command began to watch.
        left_s: estimate; None while too few trials ended.
        testing: shapes whose learning rates a range test is made for now, where these are ``auto``.
        tested: range tests that are done.
    """

    sweep: str
    metric: Metric
    workers: int | None
    target: int
    running: int
    complete: int
    pruned: int
    diverged: int
    failed: int
    cancelled: int
    best: Leader | None
    elapsed_s: float
    left_s: float | None
    testing: tuple[str, ...] = ()
    tested: int = 0

    @property
    def done(self) -> int:
        """Trials that ended, however."""
        return self.complete + self.pruned + self.diverged + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class Pace:
    """From where on the pace is measured: the first trial that ended before our eyes, so that start-up does not count.

    Attributes:
        done: trials that had ended by then.
        at_s: seconds since the command began to watch.
    """

    done: int
    at_s: float


def time_left(pace: Pace | None, done: int, target: int, elapsed_s: float) -> float | None:
    """Seconds until ``target``; None while too few trials have ended since ``pace``."""
    if done >= target:
        return 0.0
    if pace is None or done - pace.done < _ENOUGH_FOR_A_GUESS:
        return None
    return (elapsed_s - pace.at_s) / (done - pace.done) * (target - done)


def take(ledger: Ledger, sweep: str, began: float, pace: Pace | None, workers: int | None = None) -> Snapshot:
    """Read the sweep as it is now.

    Args:
        ledger: where the sweep is.
        sweep: its name.
        began: ``time.monotonic()`` when watching began.
        pace: for the time left.
        workers: is shown.
    """
    record = ledger.sweep(sweep)
    if record is None:
        raise LookupError(sweep)
    counts = ledger.counts(sweep)
    best = ledger.best(sweep)
    done = counts.closed
    elapsed = time.monotonic() - began
    testing = record.facts.get("testing", {"shapes": [], "done": 0})
    leader = None
    if best is not None and best.best_value is not None and best.best_epoch is not None:
        leader = Leader(best.trial.number, best.best_value, best.best_epoch, best.trial.values)
    return Snapshot(
        sweep=sweep,
        metric=Metric(record.metric),
        workers=workers,
        target=counts.target,
        running=counts.running,
        complete=counts.complete,
        pruned=counts.pruned,
        diverged=counts.diverged,
        failed=counts.failed,
        cancelled=counts.cancelled,
        best=leader,
        elapsed_s=elapsed,
        left_s=time_left(pace, done, counts.target, elapsed),
        testing=tuple(testing["shapes"]) if done < counts.target else (),
        tested=testing["done"],
    )


def render(snapshot: Snapshot) -> RenderableType:
    """The live view: four to seven lines."""
    testing = [Text(_testing(snapshot))] if snapshot.testing else []
    return Group(_title(snapshot), _progress(snapshot), _counts(snapshot), *testing, _best(snapshot))


def plain(snapshot: Snapshot) -> str:
    """The same as one line of text."""
    parts = [f"{snapshot.sweep}: {snapshot.done} of {snapshot.target} done, {snapshot.running} running"]
    parts += [f"{count} {word}" for word, count in (("diverged", snapshot.diverged), ("failed", snapshot.failed)) if count]
    if snapshot.testing:
        parts.append(_testing(snapshot))
    if snapshot.best is not None:
        best = snapshot.best
        parts.append(f"best {snapshot.metric} {number(best.value)} ({snapshot.sweep}/{best.number}, epoch {best.epoch})")
    return ", ".join([*parts, _clock(snapshot)])


def _testing(snapshot: Snapshot) -> str:
    """What range tests are about, while they are made."""
    first, *more = snapshot.testing
    others = f" and {len(more)} more" if more else ""
    done = f" ({snapshot.tested} range test{'' if snapshot.tested == 1 else 's'} done)" if snapshot.tested else ""
    return f"testing the learning rate of {first}{others}{done}"


def _clock(snapshot: Snapshot) -> str:
    left = "" if not snapshot.left_s else f", about {duration(snapshot.left_s)} left"
    return f"{duration(snapshot.elapsed_s)} elapsed{left}"


def _title(snapshot: Snapshot) -> Text:
    aim = "lower is better" if snapshot.metric.direction is Direction.MINIMIZE else "higher is better"
    workers = "" if snapshot.workers is None else f"   {snapshot.workers} worker{'' if snapshot.workers == 1 else 's'}"
    return Text.assemble((snapshot.sweep, "bold"), "   ", snapshot.metric.value, (f", {aim}{workers}", "dim"))


def _progress(snapshot: Snapshot) -> Table:
    line = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=max(snapshot.target, 1), completed=snapshot.done, width=28, complete_style="cyan", finished_style="cyan")
    line.add_row(bar, f"{snapshot.done} of {snapshot.target}", Text(_clock(snapshot), "dim"))
    return line


def _counts(snapshot: Snapshot) -> Text:
    line = Text()
    for word, count, style in (
        ("running", snapshot.running, ""),
        ("complete", snapshot.complete, "green"),
        ("pruned", snapshot.pruned, ""),
        ("diverged", snapshot.diverged, "yellow"),
        ("failed", snapshot.failed, "red"),
        ("cancelled", snapshot.cancelled, "yellow"),
    ):
        if count or word != "cancelled":
            line.append(f"{word} ", "dim").append(f"{count}   ", style if count else "dim")
    return line


def _best(snapshot: Snapshot) -> RenderableType:
    best = snapshot.best
    if best is None and not (snapshot.done or snapshot.running or snapshot.testing):
        return Text("starting the workers", "dim")
    if best is None:
        return Text("best  none yet: no trial is complete", "dim")
    head = Text.assemble(
        ("best  ", "dim"), (number(best.value), "bold"), f" {snapshot.metric} at epoch {best.epoch} of {snapshot.sweep}/{best.number}"
    )
    return Group(head, Padding(Flow(best.values), (0, 0, 0, 6)))


class LiveView:
    """Shows a sweep while the block runs; on a terminal in place, elsewhere as a line now and then.

    A ledger that cannot be read for a moment is asked again at the next turn: a view never stops a sweep.

    Args:
        ledger: is read only.
        sweep: the sweep's name.
        workers: is shown in the title.
        quiet: show nothing.
        console: default stdout.
    """

    def __init__(
        self, ledger: Ledger, sweep: str, *, workers: int | None = None, quiet: bool = False, console: Console | None = None
    ) -> None:
        self._ledger = ledger
        self._sweep = sweep
        self._workers = workers
        self._quiet = quiet
        self._console = console or Console()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if not self._quiet:
            self._thread = threading.Thread(target=self._watch, name="sweeper-view", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        with suppress(OSError):  # the file that stdout goes to is on a full disk; the sweep goes on unseen
            if self._console.is_terminal:
                self._live()
            else:
                self._lines()

    def _live(self) -> None:
        with Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
            for snapshot in self._snapshots():
                live.update(render(snapshot), refresh=True)

    def _lines(self) -> None:
        said_at, said = -_PLAIN_EVERY_S, ""
        said_best: int | None = None
        said_testing: tuple[str, ...] = ()
        for snapshot in self._snapshots():
            best = None if snapshot.best is None else snapshot.best.number
            due = snapshot.elapsed_s - said_at >= _PLAIN_EVERY_S
            if due or best != said_best or snapshot.testing not in {(), said_testing} or self._over.is_set():
                if (line := plain(snapshot)) != said:
                    self._console.print(line, highlight=False, soft_wrap=True)
                said_at, said_best, said_testing, said = snapshot.elapsed_s, best, snapshot.testing, line

    def _snapshots(self) -> Iterator[Snapshot]:
        began = time.monotonic()
        before: int | None = None
        pace: Pace | None = None
        first, last = True, False
        while not last:
            last = self._over.wait(0 if first else _REFRESH_S)
            first = False
            try:
                snapshot = take(self._ledger, self._sweep, began, pace, self._workers)
            except SweeperError:
                continue
            before = snapshot.done if before is None else before
            if pace is None and snapshot.done > before:
                pace = Pace(snapshot.done, snapshot.elapsed_s)
            yield snapshot
