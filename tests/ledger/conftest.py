"""A fresh ledger per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.ledger.store import Ledger


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a ledger may be created."""
    return f"sqlite:///{tmp_path / 'runs' / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A fresh ledger on SQLite."""
    ledger = Ledger.open(url)
    yield ledger
    ledger.close()
