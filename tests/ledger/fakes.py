"""Small sweeps, trials and reports, and a driver process that can be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry, NewSweep
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.trial import Metric, Outcome, Report, Stop, Trial

DONE = Stop(Outcome.COMPLETE, "all 2 epochs")
ROOT = Path(__file__).parents[2]


def new_sweep(name: str = "mlp", target: int = 4, metric: Metric = Metric.VAL_LOSS) -> NewSweep:
    """A sweep to create."""
    return NewSweep(name, "name: mlp\n", "f" * 64, metric, target, {"data_hash": "d" * 64})


def claimed(ledger: Ledger, name: str = "mlp", target: int = 4) -> Writer:
    """A new sweep, and its writer."""
    ledger.create_sweep(new_sweep(name, target))
    return ledger.claim(name, Owner.here())


def trial(number: int) -> Trial:
    """A trial that holds every kind of value."""
    values = {"model.width": 64, "optimizer.lr": 0.1 + 0.2, "model.norm": "batch", "optimizer.nesterov": True, "training.clip_norm": None}
    config = {"model": {"width": 64}, "training": {"seed": number, "clip_norm": None}, "tags": ["a", "b"]}
    return Trial(number, 1_000_003 * number, values, config, "a1b2", block=number // 2, sibling=number % 2)


def report(number: int, epoch: int, loss: float = 0.5, at: float = 100.0, ended: str | None = None) -> Report:
    """What an epoch found."""
    return Report(number, epoch, {"train_loss": loss, "val_loss": loss, "seconds": 0.25}, at, ended)


def numbered(writer: Writer, trials: Sequence[Trial], worker: str) -> list[int]:
    """Enter new trials and start an attempt of each; the tokens."""
    return writer.start([trial.number for trial in trials], worker, new=trials)


def finish(writer: Writer, number: int, token: int, losses: tuple[float, ...] = (0.5, 0.4), stop: Stop = DONE) -> None:
    """Report these losses, one epoch each, and close the trial with the last."""
    best = min((loss, epoch) for epoch, loss in enumerate(losses, 1))
    entries = [Entry(token, report(number, epoch, loss)) for epoch, loss in enumerate(losses, 1)]
    writer.record([*entries[:-1], Entry(token, entries[-1].report, stop, best)])


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another Python process, killed and reaped at the end; it can import the project and the tests."""
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def line(child: subprocess.Popen[str], accept: Callable[[str], bool] = bool) -> str:
    """The next line that a process writes, once it is accepted.

    Raises:
        RuntimeError: the process ended without one.
    """
    if child.stdout is None or child.stderr is None:
        raise RuntimeError("the process was started without pipes")
    for text in child.stdout:
        if accept(text.strip()):
            return text.strip()
    raise RuntimeError(child.stderr.read())
