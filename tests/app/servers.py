"""A real MLflow server on loopback, which may be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .driving import wait_for


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def healthy(port: int) -> bool:
    """Whether the server answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def serving(command: Sequence[str], port: int, home: Path) -> Iterator[None]:
    """The command as a server, up while the block runs; killed with everything it started at its end."""
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, start_new_session=True)
    try:
        wait_for(lambda: healthy(port))
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def mlflow_server(port: int, home: Path) -> list[str]:
    """The command of a server with a store and artifacts of its own."""
    store = ["--backend-store-uri", f"sqlite:///{home / 'server.db'}", "--artifacts-destination", str(home / "server-artifacts")]
    return [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store]
