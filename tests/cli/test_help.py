"""The command answers at once when no work is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "ray", "optuna", "mlflow", "sklearn", "pandas")


@pytest.mark.parametrize("statement", ["import sweeper", "import sweeper.cli.commands"])
def test_nothing_heavy_is_imported(statement: str) -> None:
    """Neither the library nor its commands load torch, Ray, Optuna, MLflow or scikit-learn before they are needed."""
    code = f"import sys; {statement}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    """`sweeper --help` lists the commands with a sentence each."""
    done = subprocess.run([sys.executable, "-m", "sweeper", "--help"], capture_output=True, text=True, check=True)
    for command in ("sweep", "plan", "check", "lr-range", "train", "list", "show", "best", "cancel", "rm", "fsck", "sync", "schema", "ui"):
        assert f"  {command} " in done.stdout
    assert "..." not in done.stdout.split("Commands:")[1]  # every sentence fits its line


def test_the_exit_does_not_look_for_garbage() -> None:
    """With torch or mlflow loaded that takes half a second, in which nothing happens."""
    code = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 0)); import sweeper.cli; sweeper.cli.main()"
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["True"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_full_disk_under_stdout_is_a_sentence() -> None:
    """What a command prints may go to a file whose disk is full."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "sweeper", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "sweeper: could not write: No space left on device\n")
