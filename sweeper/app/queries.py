"""Commands on sweeps that exist: list, show, best, cancel, remove."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeper.app.existing import existing, existing_trial, known_sweeps
from sweeper.app.finish import final_config, size_of_winner
from sweeper.app.home import Home
from sweeper.app.naming import ACTIVE
from sweeper.app.ranges import ranges_in
from sweeper.app.ranges import show as show_ranges
from sweeper.atomic import replace_text
from sweeper.config.files import dump_config
from sweeper.errors import InputError, SweepHeldError
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import SweepRecord, SweepState, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.tracking import follow
from sweeper.tracking.child import diagnosis_of
from sweeper.tracking.tables import sweeps_table, trial_panel, trials_table
from sweeper.trial import Outcome

Printer = Callable[[Any], None] | None


def list_sweeps(printer: Printer) -> None:
    """Print all sweeps."""
    home = Home.from_environment()
    records = known_sweeps(home)
    ledger = Ledger.open(home.ledger_url) if records else None
    rows = [(record, ledger.counts(record.name), ledger.best(record.name)) for record in records] if ledger else []
    if printer:
        printer([{**_sweep(record), "trials": asdict(counts), "best": best and _trial(best)} for record, counts, best in rows])
    else:
        Console(highlight=False).print(sweeps_table(rows))


def show(what: str, printer: Printer) -> None:
    """Print one sweep with its trials (``mlp``), or one trial with its epochs (``mlp/17``)."""
    name, _, number = what.partition("/")
    ledger, sweep = existing(Home.from_environment(), name)
    if number:
        if not number.isdecimal():
            raise InputError.of("TRIAL", "", f"{number!r} is not the number of a trial", "SWEEP/TRIAL", f"{name}/0")
        record = existing_trial(ledger, name, int(number))
        reports = ledger.reports(name, record.number)
        found = diagnosis_of(sweep, record, reports)
        if printer:
            told = found and {"tag": found.tag.value, "sentence": found.sentence}
            epochs = [dict(report.metrics) for report in reports]
            printer({**_trial(record), "diagnosis": told, "config": record.trial.config, "epochs": epochs})
        else:
            Console(highlight=False).print(trial_panel(name, record, reports, sweep.metric, found))
        return
    records = ledger.trials(name)
    ranges = ranges_in(ledger, sweep)
    if printer:
        printer({**_sweep(sweep), "trials": [_trial(record) for record in records], "lr_range": ranges and ranges.as_dict()})
    else:
        console = Console(highlight=False)
        console.print(sweeps_table([(sweep, ledger.counts(name), ledger.best(name))]))
        console.print(trials_table(records, sweep.metric))
        if (size := size_of_winner(sweep)) is not None:
            console.print(f"the winner has {size}")
        if ranges is not None:
            show_ranges(console, ranges)


def best(name: str, trial: int | None, output: Path | None) -> None:
    """Print or write the complete config of the winner, or of another trial.

    Raises:
        InputError: no such sweep or trial, or no trial completed.
    """
    ledger, sweep = existing(Home.from_environment(), name)
    record = existing_trial(ledger, name, trial) if trial is not None else ledger.best(name)
    if record is None:
        raise InputError.of("SWEEP", "", f"no trial of {name} completed", hint=f"sweeper show {name}")
    text = dump_config(final_config(sweep, record))
    if output is None:
        print(text, end="")
    else:
        replace_text(output, text)
        print(f"{name}/{record.number} -> {output}")


def cancel(name: str) -> None:
    """Stop an open sweep.

    Raises:
        InputError: no such sweep, or it is over.
    """
    ledger, sweep = existing(Home.from_environment(), name)
    if sweep.state not in ACTIVE:
        raise InputError.of("SWEEP", "", f"{name} is {sweep.state} already", "an open sweep")
    ledger.request_cancel(name)
    try:
        writer = ledger.claim(name, Owner.here())
    except SweepHeldError:
        print(f"{name}: its running trials end at their next report")
        return
    writer.close_open(Outcome.CANCELLED, "cancelled before it was trained")
    writer.finish(SweepState.CANCELLED)
    writer.release_owner()
    print(f"{name}: cancelled; nobody was driving it. `sweeper sync {name}` tells MLflow")


def remove(name: str) -> None:
    """Remove a sweep's files and rows.

    Raises:
        InputError: no such sweep.
        SweepHeldError: a live process drives it.
    """
    home = Home.from_environment()
    ledger, _ = existing(home, name)
    ledger.remove(name)
    folder = home.sweep_dir(name)
    if folder.exists():
        shutil.rmtree(folder)
    follow.lock_of(home.runs, name).unlink(missing_ok=True)
    print(f"{name}: removed; its MLflow runs stay until they are deleted there")


def _sweep(record: SweepRecord) -> dict[str, Any]:
    ended = {"created": record.created, "ended": record.ended}
    return {"sweep": record.name, "state": record.state.value, "metric": record.metric.value, **ended, "facts": dict(record.facts)}


def _trial(record: TrialRecord) -> dict[str, Any]:
    return {
        "trial": record.number,
        "outcome": record.outcome and record.outcome.value,
        "reason": record.reason,
        "value": record.best_value,
        "epoch": record.best_epoch,
        "epochs": record.epochs,
        "seconds": record.seconds,
        "engine": record.how,
        "values": dict(record.trial.values),
    }
