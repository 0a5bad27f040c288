"""A cluster that was there before: RAY_ADDRESS names it, and it stays when the sweep is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.errors import InfrastructureError
from sweeper.runners.ray_tune import run
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
