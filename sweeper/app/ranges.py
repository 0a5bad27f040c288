"""The range tests of a sweep whose learning rates are ``auto``: told, kept as files, and drawn where time does not matter."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from sweeper.app.home import Home
from sweeper.atomic import replace_bytes, replace_text
from sweeper.config.space import Space
from sweeper.ledger.records import SweepRecord
from sweeper.ledger.store import Ledger
from sweeper.tracking.ranges import Ranges, ranges_of

PREFIX = "auto-"
"""Of the files' names, in ``runs/<sweep>/lr_range``, where those of ``sweeper lr-range`` lie as well."""
MOST_PICTURES = 16
"""A sweep of many shapes is not drawn whole."""


def ranges_in(ledger: Ledger, sweep: SweepRecord) -> Ranges | None:
    """What a sweep's range tests found and cost; None where no learning rate is ``auto``."""
    space = Space.parse(sweep.space, f"the ledger's space of {sweep.name}")
    return ranges_of(space, ledger.range_tests(sweep.name), ledger.trials(sweep.name))


def show(console: Console, ranges: Ranges, most: int | None = None) -> None:
    """Print them for people, at most so many brackets."""
    console.print(f"Learning rates  {ranges.cost()}", markup=False, soft_wrap=True)
    for line in ranges.lines(most):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print()


def write(home: Home, ledger: Ledger, sweep: str) -> None:
    """Keep the curves of a sweep's tests as files, one each."""
    for test in ledger.range_tests(sweep):
        if test.finding.result:
            replace_text(
                home.sweep_dir(sweep) / "lr_range" / f"{PREFIX}{test.digest}.json", json.dumps(test.finding.result, indent=1) + "\n"
            )


def draw(folder: Path) -> None:
    """The pictures of what ``write`` kept in ``lr_range`` below a sweep's folder, drawn where they are missing; imports torch then."""
    for kept in sorted((folder / "lr_range").glob(f"{PREFIX}*.json"))[:MOST_PICTURES]:
        picture = kept.with_suffix(".png")
        if not picture.exists():
            from sweeper.lr_range.figure import png
            from sweeper.lr_range.result import LrRangeResult

            replace_bytes(picture, png(LrRangeResult.from_json(kept.read_text(encoding="utf-8"), str(kept))))
