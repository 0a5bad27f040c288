"""``sweeper check``: what can be known about a space before compute is spent; and the part of it that opens every new sweep."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sweeper.app.checks import placed, prepared
from sweeper.app.home import Home
from sweeper.app.resources import Slots, cpus_here, slots
from sweeper.atomic import replace_text
from sweeper.config.files import find_space
from sweeper.config.space import Space
from sweeper.errors import InputError, Problem
from sweeper.preflight.data import data_findings
from sweeper.preflight.finding import Finding, Status, worst
from sweeper.preflight.space import reachable, ruling

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset

COLOURS = {Status.PASS: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}
CHECK_WIDTH = 20
"""Columns of a check's name."""


@dataclass(frozen=True)
class Checked:
    """All rows, and where the page is.

    Attributes:
        space: its name.
        page: the HTML file.
        seconds: wall time.
    """

    space: str
    findings: tuple[Finding, ...]
    page: Path
    seconds: float

    @property
    def exit_code(self) -> int:
        """0, or 2 when a check fails."""
        return 2 if worst(self.findings) is Status.FAIL else 0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        rows = [
            {"check": one.check, "status": one.status.value, "sentence": one.sentence, "remedy": one.remedy, "key": one.key}
            for one in self.findings
        ]
        status = worst(self.findings).value
        return {"space": self.space, "status": status, "rows": rows, "page": str(self.page), "seconds": round(self.seconds, 3)}


def run(space_name: str, overrides: Sequence[str], tell: Callable[[Finding], None]) -> Checked:
    """Check a space's data, the model and the training of its default config, its extreme configs, and what it will cost.

    Args:
        space_name: a name or a path.
        overrides: ``key=value``.
        tell: gets each row as soon as it is found.

    Raises:
        InputError: bad input; nothing has been created.
    """
    started = time.monotonic()
    home = Home.from_environment()
    space = Space.load(find_space(space_name), overrides)
    with placed(space):
        room = slots(space.base.resources, space.source, cluster=bool(os.environ.get("RAY_ADDRESS")))
    data = prepared(space)
    findings: list[Finding] = []
    for finding in _findings(space, data, room):
        findings.append(finding)
        tell(finding)
    seconds = time.monotonic() - started

    from sweeper.preflight.page import page

    path = home.sweep_dir(space.name) / "check.html"
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    about = f"{space.source}, default config on {data.summary['source']}, {when}, {seconds:.1f} s"
    replace_text(path, page(space.name, about, findings, data))
    return Checked(space.name, tuple(findings), path, seconds)


def first_look(space: Space, data: Dataset, tell: Callable[[str], None]) -> dict[str, str]:
    """What a new sweep looks at in its first moments: everything that needs no torch.

    Args:
        space: to be swept.
        data: its data.
        tell: gets every warning as a line.

    Returns:
        Status and sentence by check.

    Raises:
        InputError: a check fails; with the position of the key that is at fault.
    """
    findings = list(_quick(space, data))
    for one in findings:
        if one.status is Status.WARN:
            tell(f"warning: {one.check}: {one.sentence} (what to do: {one.remedy})")
    failures = [one for one in findings if one.status is Status.FAIL]
    if failures:
        with placed(space):
            raise InputError(
                Problem(space.source, one.key, f"{one.check}: {one.sentence}", "", f"{one.remedy}; --no-check sweeps all the same")
                for one in failures
            )
    return {one.check: f"{one.status}: {one.sentence}" for one in findings}


def show(checked: Checked) -> None:
    """Print the end of a check for people, below its rows."""
    counts = {status: sum(one.status is status for one in checked.findings) for status in Status}
    told = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    console = Console(highlight=False)
    console.print(f"\n{told} in {checked.seconds:.1f} s", markup=False)
    console.print(f"page  {Home.from_environment().shown(checked.page)}", markup=False, soft_wrap=True)


def row(finding: Finding) -> None:
    """Print one row for people."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=4)
    table.add_column(width=CHECK_WIDTH)
    table.add_column(ratio=1)
    table.expand = True
    table.add_row(f"[{COLOURS[finding.status]}]{finding.status}[/]", finding.check, _plain(finding.sentence))
    if finding.remedy:
        table.add_row("", "", f"[dim]{_plain(f'what to do: {finding.remedy}')}[/]")
    Console(highlight=False).print(table)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _quick(space: Space, data: Dataset) -> Iterator[Finding]:
    from sweeper.preflight.alignment import alignment

    yield reachable(space)
    if rules := ruling(space):
        yield rules
    rows = list(data_findings(data))
    yield from rows
    if worst(rows) is not Status.FAIL:
        yield alignment(data, space.base.data.seed)


def _findings(space: Space, data: Dataset, room: Slots) -> Iterator[Finding]:
    rows: list[Finding] = []
    for finding in _quick(space, data):
        rows.append(finding)
        yield finding
    if worst(rows) is Status.FAIL:
        return  # nothing that is trained on such data means anything

    from sweeper.core.batches import Resident
    from sweeper.core.loop import pick_device, set_threads
    from sweeper.preflight.corners import built, largest_step
    from sweeper.preflight.duration import Sizing, duration
    from sweeper.preflight.lesson import trial_of
    from sweeper.preflight.memory import free_bytes, memory
    from sweeper.preflight.model import guarded, model_findings
    from sweeper.search.blocks import EARLY_BLOCKS, blocks_of
    from sweeper.search.study import Study

    resident = Resident.of(data, pick_device(room.device))
    set_threads(trial_of(space.base), resident)
    yield from model_findings(space.base, resident)
    finding, corners = built(space, resident)
    yield finding
    workers = room.workers or cpus_here()
    if corners:
        free = free_bytes(resident.device)
        yield guarded("memory", lambda: memory(corners[-1].config, resident, workers, free))
        yield guarded("largest config", lambda: largest_step(corners[-1], resident, free))
    search = space.base.search
    side = min(search.trials, blocks_of(space).most(EARLY_BLOCKS + 1))  # of a block like most others
    sizing = Sizing(search.trials, workers, sorted(Study(space, search.trials).ask_at), search.reduction, side)
    yield guarded("time", lambda: duration(space, resident, sizing))
