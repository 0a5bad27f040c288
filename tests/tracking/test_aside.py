"""Work in a copy of this process."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from sweeper.tracking import aside
from sweeper.tracking.aside import Aside


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is copied")
def test_what_is_left_behind_is_there_after_the_wait(tmp_path: Path) -> None:
    """By another process; a second wait is none."""
    work = Aside(lambda: (tmp_path / "pid").write_text(str(os.getpid())))
    work.wait()
    work.wait()
    assert (tmp_path / "pid").read_text() != str(os.getpid())


def test_work_that_raises_comes_to_nothing(tmp_path: Path) -> None:
    """The caller makes what is missing."""
    Aside((tmp_path / "no folder" / "file").read_text).wait()


def test_work_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever."""
    monkeypatch.setattr(aside, "PATIENCE_S", 0.1)
    started = time.monotonic()
    Aside(lambda: time.sleep(60)).wait()
    assert time.monotonic() - started < 30


def test_a_process_with_threads_is_not_copied(tmp_path: Path) -> None:
    """What they hold would be held in the copy for ever; the work is left to the caller."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        Aside(lambda: (tmp_path / "file").write_text("")).wait()
    finally:
        over.set()
        thread.join()
    assert not (tmp_path / "file").exists()
