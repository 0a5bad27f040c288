"""What holds for every test: one thread, the same random examples, nothing leaked; and a ``home`` to work in."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports NumPy or torch: the suite shares few cores with its own child processes.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

# A shell that runs the suite in the background has Ctrl-C ignored, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What a developer's shell may hold and no test should see.
OUTER_WORLD = (
    "SWEEPER_HOME",
    "SWEEPER_LEDGER_URL",
    "SWEEPER_CRASH_AT",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_RUN_ID",
    "RAY_ADDRESS",
)
for _variable in OUTER_WORLD:
    os.environ.pop(_variable, None)

# Libraries set these when they are imported or started and read them later; they are not a test's to restore.
SET_BY_LIBRARIES = ("RAY_", "MLFLOW_", "TUNE_", "GIT_PYTHON_", "KMP_", "TORCH", "PYTORCH_", "TRITON_", "PYTEST_", "HYPOTHESIS_")

# Every process started from here inherits the marker, also when its parent is killed and it is adopted by another.
MARKER = f"SWEEPER_TESTS={uuid.uuid4().hex}"
os.environ.update([MARKER.split("=")])

THREAD_GRACE_S = 3.0
PROCESS_GRACE_S = 30.0

settings.register_profile("sweeper", max_examples=40, deadline=None, derandomize=True, database=None)
settings.load_profile("sweeper")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is the current one and ``SWEEPER_HOME``."""
    monkeypatch.setenv("SWEEPER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """Fails a test that leaves the environment, the current directory or a non-daemon thread behind; restores the first two."""
    environment, directory, threads = dict(os.environ), Path.cwd(), set(threading.enumerate())
    yield
    leaks = _restore_environment(environment)
    if Path.cwd() != directory:
        leaks.append(f"the current directory is {Path.cwd()}")
        os.chdir(directory)
    leaks += [f"thread {thread.name} is alive" for thread in _left_threads(threads)]
    if leaks:
        pytest.fail("left behind: " + "; ".join(leaks), pytrace=False)


@pytest.fixture(autouse=True, scope="session")
def _no_process_is_left() -> Iterator[None]:
    """Fails the session if a process that it started, directly or not, is alive half a minute after the last test."""
    yield
    deadline = time.monotonic() + PROCESS_GRACE_S
    while (left := _marked_processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    if left:
        pytest.fail("left running: " + "; ".join(f"{pid}: {command}" for pid, command in left.items()), pytrace=False)


def _restore_environment(before: dict[str, str]) -> list[str]:
    """Puts the environment back; returns the names that a test should have restored itself."""
    after = dict(os.environ)
    changed = [
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name) and not name.startswith(SET_BY_LIBRARIES)
    ]
    for name in changed:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    return [f"${name} is {after.get(name)!r}, was {before.get(name)!r}" for name in sorted(changed)]


def _left_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    """The non-daemon threads that a test started and that do not end within a few seconds."""
    started = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    deadline = time.monotonic() + THREAD_GRACE_S
    for thread in started:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in started if thread.is_alive()]


def _marked_processes() -> dict[int, str]:
    """The command line of every living process, by pid, that inherited the marker (Linux; nothing elsewhere).

    A process that renames itself, as Ray's do, overwrites its environment: it is known by its parent.
    """
    parents, commands, marked = {}, {}, set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or another user's
        # Python's own helper for shared memory lives exactly as long as the session; zombies have no command line.
        if command and "multiprocessing.resource_tracker" not in command:
            parents[int(process.name)], commands[int(process.name)] = parent, command
            if MARKER.encode() in environment:
                marked.add(int(process.name))
    while heirs := {pid for pid, parent in parents.items() if parent in marked} - marked:
        marked |= heirs
    return {pid: commands[pid] for pid in sorted(marked)}
