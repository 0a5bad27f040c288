"""A desk whose ledger is a file, and a slow training: what Ray's processes load in the tests of its runner."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeper.data.dataset import Dataset
from sweeper.errors import StaleWriterError
from sweeper.ports import Train
from sweeper.trial import Command, Continue, Lease, Outcome, RangeFinding, RangeTest, Refill, Report, Stop, Trial, Verdict

EPOCHS = 5


@dataclass
class FileDesk:
    """Appends every event to a file before it answers; built anew, it reads the file."""

    ledger: Path
    count: int

    def __post_init__(self) -> None:
        self._holder: dict[int, tuple[str, int]] = {}
        self._closed: set[int] = set()
        self._token = 0
        self._tested = False
        for event in events(self.ledger):
            self._apply(event)
        self._write({"kind": "built", "pid": os.getpid(), "torch": "torch" in sys.modules, "tune": "ray.tune" in sys.modules})

    def lease(self, worker: str, lanes: int, beside: Trial | None = None) -> Lease | RangeTest | None:
        """A range test before anything else; then the lowest numbers that nobody holds, with a new token each; all are of one shape."""
        if not self._tested:
            return RangeTest("only", {}, 3, "only")
        free = [n for n in range(self.count) if n not in self._closed and n not in self._holder][:lanes]
        if not free:
            return None
        for number in free:
            attempt = {"trial": number, "worker": worker, "token": self._token + 1}
            self._write({"kind": "attempt", **attempt, "beside": None if beside is None else beside.number})
        trials = tuple(Trial(n, n, {}, {}, "0") for n in free)
        return Lease(trials, tuple(self._holder[n][1] for n in free), frozenset({2}), self.count)

    def tested(self, test: RangeTest, finding: RangeFinding) -> None:
        """The test is not wanted any more."""
        self._write({"kind": "tested", "digest": test.digest, "bracket": finding.bracket})

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """Every report goes on until it says that training has ended."""
        self._check(tokens, [r.trial for r in reports])
        verdicts: list[Verdict] = []
        for token, r in zip(tokens, reports, strict=True):
            self._write(
                {"kind": "report", "trial": r.trial, "epoch": r.epoch, "token": token, "pid": r.metrics["pid"], "node": r.metrics["node"]}
            )
            if r.ended is None:
                verdicts.append(Continue("go on"))
                continue
            self._write({"kind": "closed", "trial": r.trial, "token": token})
            verdicts.append(Stop(Outcome.COMPLETE, r.ended))
        return verdicts

    def exchange(self, worker: str, tokens: Sequence[int], reports: Sequence[Report]) -> tuple[list[Verdict], Lease | RangeTest | None]:
        """Both calls in one."""
        verdicts = self.report(tokens, reports)
        return verdicts, self.lease(worker, 1) if any(isinstance(verdict, Stop) for verdict in verdicts) else None

    def fail(self, token: int, trial: int, reason: str) -> None:
        """Close it as failed."""
        self._check([token], [trial])
        self._write({"kind": "closed", "trial": trial, "token": token, "reason": reason})

    def release(self, worker: str) -> None:
        """Open again what the worker held."""
        self._write({"kind": "released", "worker": worker, "trials": [n for n, (w, _) in self._holder.items() if w == worker]})

    def open(self) -> bool:
        """Whether a trial is not closed."""
        return len(self._closed) < self.count

    def _check(self, tokens: Sequence[int], trials: Sequence[int]) -> None:
        for token, number in zip(tokens, trials, strict=True):
            if number not in self._holder or self._holder[number][1] != token:
                raise StaleWriterError(f"trial {number} was given to another worker")

    def _write(self, event: dict[str, object]) -> None:
        with self.ledger.open("a") as file:
            file.write(json.dumps({"at": time.time(), **event}) + "\n")
        self._apply(event)

    def _apply(self, event: dict) -> None:
        match event["kind"]:
            case "attempt":
                self._token = event["token"]
                self._holder[event["trial"]] = (event["worker"], event["token"])
            case "tested":
                self._tested = True
            case "closed":
                self._closed.add(event["trial"])
                self._holder.pop(event["trial"])
            case "released":
                for number in event["trials"]:
                    del self._holder[number]


def events(ledger: Path) -> list[dict]:
    """Everything that has happened so far; a line still being written is left for the next reader."""
    if not ledger.exists():
        return []
    return [json.loads(line) for line in ledger.read_text().splitlines(keepends=True) if line.endswith("\n")]


@dataclass(frozen=True)
class MakeDesk:
    """Builds the desk in its own process."""

    ledger: Path
    count: int

    def __call__(self) -> FileDesk:
        """The desk, from what the file says."""
        return FileDesk(self.ledger, self.count)


@dataclass(frozen=True)
class MakeTrain:
    """Builds a training of `side` lanes whose epochs take `seconds`; it checks that the data is read in place."""

    seconds: float
    fault: Callable[[Trial, int], None] | None = None
    side: int = 1

    def __call__(self, data: Dataset) -> Train:
        """The training."""
        assert not data.train.x.flags.owndata
        assert not data.train.x.flags.writeable
        return SlowTrain(self)


@dataclass(frozen=True)
class SlowTrain:
    """One report per trial and epoch, with the ids of this process and of its parent, the node's, as metrics."""

    made: MakeTrain

    def lanes(self, trial: Trial, most: int) -> int:  # noqa: ARG002 - the Protocol's signature
        """As many for every trial."""
        return self.made.side

    def range_test(self, test: RangeTest) -> RangeFinding:  # noqa: ARG002 - the Protocol's signature
        """Eight decades."""
        return RangeFinding("ok", "fine", 1e-3, (1e-7, 10.0))

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """Each lane from its trial's first epoch on; a freed one may get another trial."""
        lanes = [(trial, 1) for trial in trials]
        while lanes:
            time.sleep(self.made.seconds)
            if self.made.fault is not None:
                for trial, epoch in lanes:
                    self.made.fault(trial, epoch)
            commands = yield [_report(trial, epoch) for trial, epoch in lanes]
            lanes = [
                (command.trial, 1) if isinstance(command, Refill) else (trial, epoch + 1)
                for (trial, epoch), command in zip(lanes, commands, strict=True)
                if not isinstance(command, Stop)
            ]


def _report(trial: Trial, epoch: int) -> Report:
    metrics = {"val_loss": 1 / epoch, "pid": os.getpid(), "node": os.getppid()}
    return Report(trial.number, epoch, metrics, time.time(), f"all {EPOCHS} epochs" if epoch == EPOCHS else None)


@dataclass(frozen=True)
class Rows:
    """Stands in for a part of the data."""

    x: np.ndarray


@dataclass(frozen=True)
class Data:
    """Stands in for a dataset: large enough to lie in the object store."""

    train: Rows


def data() -> Dataset:
    """Half a megabyte of zeros."""
    return Data(Rows(np.zeros((1000, 128), dtype=np.float32)))  # type: ignore[return-value]
