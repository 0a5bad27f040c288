"""Ray's start and stop: here, or a cluster that was there before, which RAY_ADDRESS names and which stays when the sweep is over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.errors import InfrastructureError
from sweeper.runners.ray_tune import Cluster, run
from tests.runners.processes import descendants
from tests.runners.ray_fakes import MakeDesk, MakeTrain, data, events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Two nodes of one CPU each on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster.address
    cluster.shutdown()


def test_a_sweep_uses_every_node_of_the_cluster_and_leaves_it_running(address: str, tmp_path: Path) -> None:
    """Four workers asked for, two slots there: both nodes train, each trial once; a second sweep finds the cluster up."""
    for name in ("first", "second"):
        ledger = tmp_path / name
        run(MakeDesk(ledger, 12), MakeTrain(0.05), data(), workers=4, cpus_per_worker=1, gpus_per_worker=0, name=name, home=tmp_path)
        happened = events(ledger)
        assert sorted(event["trial"] for event in happened if event["kind"] == "closed") == list(range(12))
        assert sum(event["kind"] == "attempt" for event in happened) == 12
        assert len({event["node"] for event in happened if event["kind"] == "report"}) == 2


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No traceback of Ray's, and nothing is created."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="Ray cannot be started or reached"):
        run(MakeDesk(tmp_path / "l", 1), MakeTrain(0.1), data(), workers=1, cpus_per_worker=1, gpus_per_worker=0, name="x", home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_takes_the_workers_that_ray_has_started_ahead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of two idle processes the desk takes one and the sessions the other; a cluster that was entered before is left to the caller."""
    import ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with Cluster("ahead", cpus=2) as cluster:
        cluster.ready()
        idle = {pid for pid in descendants(os.getpid()) if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::IDLE")}
        run(
            MakeDesk(tmp_path / "ledger", 8),
            MakeTrain(0.02),
            data(),
            workers=2,
            cpus_per_worker=1,
            gpus_per_worker=0,
            name="ahead",
            home=tmp_path,
            cluster=cluster,
        )
        assert ray.is_initialized()
    happened = events(tmp_path / "ledger")
    assert sorted(event["trial"] for event in happened if event["kind"] == "closed") == list(range(8))
    assert len(idle & {event["pid"] for event in happened if event["kind"] == "report"}) == 1
    assert not ray.is_initialized()


WASTE = """
import gc, time
from sweeper.runners.ray_tune import Cluster

with Cluster("waste", cpus=1) as cluster:
    cluster.ready()
    import ray

    gc.disable()
    for number in range(500):
        ring = {"reference": ray.put(number)}
        ring["ring"] = ring
    cluster.stop()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        gc.collect()
        time.sleep(0.002)
print("alive")
"""


def test_garbage_that_is_collected_while_ray_stops_does_no_harm() -> None:
    """Ray's core ends a process in which a reference is let go while it stops; ours has something left to do."""
    done = subprocess.run([sys.executable, "-c", WASTE], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


TERMINATED_EARLY = """
import os, signal, sys, threading, time
from sweeper.runners.ray_tune import Cluster

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with Cluster("early", cpus=1) as cluster:
    waiter = threading.Thread(target=cluster.ready)
    waiter.start()
    waiter.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)
"""


def test_sigterm_is_the_callers_from_the_start() -> None:
    """Ray has started in its own thread, and the main thread is still busy with something else."""
    done = subprocess.run([sys.executable, "-c", TERMINATED_EARLY], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
