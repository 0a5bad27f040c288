from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.tracking.check import mirror_violations
from sweeper.tracking.mlflow import MlflowMirror
from sweeper.trial import Outcome
from tests.tracking.hand import Hand, reports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Server:
    """A real MLflow server on a SQLite file, in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it really answers a search."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        command += [
            "--backend-store-uri",
            f"sqlite:///{self.folder / 'server.db'}",
            "--artifacts-destination",
            str(self.folder / "artifacts"),
        ]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        deadline = time.monotonic() + 120
        while not self.answers():
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.2)

    def answers(self) -> bool:
        """Whether a search succeeds."""
        request = urllib.request.Request(  # noqa: S310 - http on loopback
            f"{self.uri}/api/2.0/mlflow/experiments/search", b'{"max_results": 1}', {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                return True
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        """``kill -9`` of the server and its workers."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server."""
    running = Server(tmp_path)
    running.start()
    yield running
    running.kill()


def test_a_server_that_is_killed_in_the_middle_gets_everything_once(tmp_path: Path, server: Server) -> None:
    """Killed between and during transfers and started again: every run, point and artifact is there once."""
    hand = Hand(tmp_path, "server", trials=12)
    token = hand.number(0)
    hand.record(token, reports(0, 2, hand.now))
    mirror = MlflowMirror(hand.ledger, server.uri, tmp_path / "unused")
    assert (mirror.sync(hand.name, patience_s=0), mirror.error) == (0, None)
    hand.record(token, reports(0, 3, hand.now)[2:], Outcome.COMPLETE)
    for number in range(1, 8):
        hand.trial(number, Outcome.COMPLETE if number % 2 else Outcome.PRUNED)

    real = mirror._tracker._client.log_batch
    calls = []

    def killing(*arguments: object, **named: object) -> object:
        calls.append(arguments)
        if len(calls) == 4:
            server.kill()
        return real(*arguments, **named)

    mirror._tracker._client.log_batch = killing
    assert mirror.sync(hand.name) > 0
    assert "Connection" in mirror.error
    began = time.monotonic()
    assert mirror.sync(hand.name) > 0
    assert time.monotonic() - began < 10

    for number in range(8, 12):
        hand.trial(number, Outcome.COMPLETE)
    hand.finish()
    server.start()
    assert (mirror.sync(hand.name), mirror.error) == (0, None)
    assert mirror_violations(hand.ledger, server.uri, tmp_path / "unused", hand.name) == []
    assert not (tmp_path / "unused").exists()
    stored = [path.name for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert stored.count("config.yaml") == 12
    assert stored.count("figures.html") == 1


def test_many_processes_at_once_make_one_store(tmp_path: Path) -> None:
    """On a fresh SQLite file one initialises and the others wait; none fails."""
    code = f"""
from pathlib import Path
from sweeper.tracking.mlflow import Tracker
Tracker("sqlite:///{tmp_path / "new.db"}", Path("{tmp_path}")).experiment("mine")
"""
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    failures = [process.communicate()[1].decode()[-500:] for process in processes if process.wait(240)]
    assert failures == []
    assert not list(tmp_path.glob("*.part"))
