"""``sweeper sync``: MLflow brought up to date from the ledger, once or for as long as a sweep runs."""

from __future__ import annotations

import sys

from sweeper.app.home import Home
from sweeper.app.queries import existing
from sweeper.app.sweep import known_sweeps
from sweeper.ledger.store import Ledger
from sweeper.tracking import follow
