"""Drives the command as a user would, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sweeper.app import fsck
from sweeper.ledger.store import Ledger

TINY = """
name: tiny
data: {source: digits}
model: {family: mlp, width: {choice: [8, 16]}, dropout: {uniform: [0.0, 0.5]}}
optimizer: {name: adamw, lr: {log: [1e-4, 1e-1]}}
training: {epochs: 4, batch_size: 128}
search: {trials: 8, sampler: random, grace_epochs: 1, reduction: 2}
"""

PATIENCE_S = 150.0


def write(home: Path, text: str = TINY) -> Path:
    """The space file in this home."""
    path = home / "tiny.yaml"
    path.write_text(text)
    return path


def sweeper(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(_command(arguments), capture_output=True, text=True, timeout=200, check=False, env={**os.environ, **environment})


def started(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(
        _command(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object on stdout."""
    tree: dict[str, Any] = json.loads(done.stdout)
    return tree


def ledger_of(home: Path) -> Ledger:
    """The home's ledger."""
    return Ledger.open(f"sqlite:///{home / 'runs' / 'ledger.db'}")


def closed(home: Path, sweep: str = "tiny") -> int:
    """How many trials have ended; 0 before there is a ledger."""
    url = f"sqlite:///{home / 'runs' / 'ledger.db'}"
    if not Ledger.exists(url):
        return 0
    ledger = Ledger.open(url)
    return ledger.counts(sweep).closed if ledger.sweep(sweep) else 0


def epochs(home: Path, sweep: str = "tiny") -> int:
    """How many epochs have been reported; 0 before there is a ledger."""
    url = f"sqlite:///{home / 'runs' / 'ledger.db'}"
    return len(Ledger.open(url).reports(sweep)) if Ledger.exists(url) else 0


def violations() -> list[tuple[str, str]]:
    """What ``sweeper fsck`` finds in this home, invariant and sentence; here, since each process would import for seconds."""
    return [(found.invariant, found.sentence) for found in fsck.check(None).violations]


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; two and a half minutes at most."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def kill(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> tuple[int, str, str]:
    """Send a signal to the driver alone, and reap it."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def _command(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "sweeper", *map(str, arguments)]
