"""The short way to the desk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sweeper.errors import StaleWriterError
from sweeper.runners.ray_tune import desk as callers
from sweeper.runners.ray_tune.line import Line, connected
from sweeper.runners.ray_tune.server import DeskServer
from tests.runners.fakes import FakeDesk, report, trial


def test_a_call_and_what_it_raises_come_through() -> None:
    """Two workers beside each other, and an error as itself."""
    desk = FakeDesk([trial(0), trial(1)], stale={100})
    server = DeskServer(lambda: desk)
    address = server.address()
    assert address is not None
    assert address == server.address()
    for number in range(2):
        worker = connected(address)
        assert worker is not None
        lease = worker.lease(f"w{number}", 1)
        assert lease is not None
        assert lease.tokens == (100 + number,)
    assert worker.report([101], [report(1, 1)]) == [FakeDesk.rule(report(1, 1))]
    with pytest.raises(StaleWriterError, match="another worker"):
        worker.report([100], [report(0, 1)])
    assert server.recorded() == 1


def test_nobody_is_answered_without_the_key() -> None:
    """Nor where the desk is not; and the line stays open for those that know it."""
    line = Line(lambda method: method)
    name, key = line.address
    assert connected((name, b"guessed")) is None
    assert connected((name + "0", key)) is None
    worker = connected(line.address)
    assert worker is not None
    assert worker.call("open") == "open"


def test_a_broken_line_is_left_for_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk's process died amid a call: that one is repeated by Ray, and what follows goes there at once."""
    by_ray: list[str] = []

    def remote(method: str) -> str:
        by_ray.append(method)
        return method

    def dies(_method: str) -> Any:
        raise SystemExit

    def reference(call: Any) -> Any:
        return SimpleNamespace(remote=call)

    monkeypatch.setattr(callers.ray, "get", lambda found: found)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    line = Line(dies)
    desk = callers.NearDesk(SimpleNamespace(call=reference(remote), address=reference(lambda: line.address)))
    assert [desk.call("open"), desk.call("recorded")] == ["open", "recorded"]
    assert by_ray == ["open", "recorded"]


def test_without_a_line_all_goes_by_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without such sockets, or a worker on another machine."""
    monkeypatch.setattr(callers.ray, "get", lambda found: found)
    for address in (None, ("\0sweeper-nowhere", b"key")):
        actor = SimpleNamespace(call=SimpleNamespace(remote=lambda method: method), address=SimpleNamespace(remote=lambda a=address: a))
        assert callers.NearDesk(actor).call("open") == "open"
