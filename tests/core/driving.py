"""Drives trainings by hand, and what of their reports must be the same again."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

from sweeper.data.dataset import Dataset, Part
from sweeper.trial import Command, Continue, Outcome, Report, Stop

Training: TypeAlias = Generator[list[Report], list[Command], None]

GO = Continue("go on")
PRUNE = Stop(Outcome.PRUNED, "worse than the rung")


CLOCK = {"seconds", "watch_rows_per_second", "watch_memory_mb"}
"""What depends on the machine's moment."""


def curve(reports: Iterable[Report]) -> list[tuple[int, dict[str, str], str | None]]:
    """What of one trial's reports must be the same again, to the bit; hexadecimal, so that NaN equals itself."""
    return [(r.epoch, {name: value.hex() for name, value in r.metrics.items() if name not in CLOCK}, r.ended) for r in reports]


def script(training: Training, *answers: Mapping[int, Command]) -> list[list[Report]]:
    """Answers each round by trial number, with Continue where nothing else is said; the reports by round."""
    rounds = [next(training)]
    with suppress(StopIteration):
        for answer in answers:
            rounds.append(training.send([answer.get(report.trial, GO) for report in rounds[-1]]))
        while True:
            rounds.append(training.send([GO for _ in rounds[-1]]))
    return rounds


def of(trial: int, rounds: Iterable[Iterable[Report]]) -> list[Report]:
    """The reports of the trial of this number."""
    return [report for reports in rounds for report in reports if report.trial == trial]


def cut(data: Dataset, train: int, val: int) -> Dataset:
    """The first so many rows of the training and the validation part."""
    return replace(data, train=Part(data.train.x[:train], data.train.y[:train]), val=Part(data.val.x[:val], data.val.y[:val]))
