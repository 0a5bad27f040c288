"""The sweeps that there are; looking creates nothing."""

from __future__ import annotations

from sweeper.app.home import Home
from sweeper.errors import InputError
from sweeper.ledger.records import SweepRecord, TrialRecord
from sweeper.ledger.store import Ledger


def known_sweeps(home: Home) -> list[SweepRecord]:
    """Every sweep of the ledger, the oldest first."""
    return Ledger.open(home.ledger_url).sweeps() if Ledger.exists(home.ledger_url) else []


def existing(home: Home, name: str) -> tuple[Ledger, SweepRecord]:
    """The ledger and the sweep of that name.

    Raises:
        InputError: there is none.
    """
    if not Ledger.exists(home.ledger_url):
        raise InputError.of("ledger", "", f"there is no sweep named {name!r}: nothing has been swept here yet", hint="make sweep SPACE=mlp")
    ledger = Ledger.open(home.ledger_url)
    return ledger, ledger.known(name)


def existing_trial(ledger: Ledger, sweep: str, number: int) -> TrialRecord:
    """The trial of that number.

    Raises:
        InputError: there is none.
    """
    record = ledger.trial(sweep, number)
    if record is None:
        raise InputError.of("TRIAL", "", f"{sweep} has no trial {number}", f"0 to {ledger.counts(sweep).numbered - 1}")
    return record
