"""The Makefile, with a stand-in for Python: what reaches the command line, and when something is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv is ready, with a python that prints one argument per line."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    script(tmp_path / ".venv" / "bin" / "python", 'printf "<%s>\\n" "$@"')
    (tmp_path / ".venv" / "ready").touch()
    (tmp_path / ".venv" / "ready-dev").touch()
    return tmp_path


def script(path: Path, body: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def make(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs make there."""
    outer = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS", "SPACE", "CONFIG", "TRIALS"))
    }
    return subprocess.run(["make", *arguments], cwd=checkout, env=outer | environment, capture_output=True, text=True, check=False)


def arguments(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What the stand-in was called with, after ``-m sweeper``."""
    assert done.returncode == 0, done.stderr
    words = [line[1:-1] for line in done.stdout.splitlines()]
    assert words[:2] == ["-m", "sweeper"]
    return words[2:]


def test_sweep_passes_its_values(checkout: Path) -> None:
    """SPACE, TRIALS and the words of ARGS become arguments of ``sweeper sweep``."""
    assert arguments(make(checkout, "sweep", "SPACE=mlp")) == ["sweep", "--", "mlp"]
    done = make(checkout, "sweep", "SPACE=my spaces/a.yaml", "TRIALS=8", "ARGS=--runner local --set a.b=*")
    assert arguments(done) == ["sweep", "--trials=8", "--runner", "local", "--set", "a.b=*", "--", "my spaces/a.yaml"]


@pytest.mark.parametrize(
    "value",
    [
        "mlp; touch made",
        "$(touch made)",
        "`touch made`",
        "$(shell touch made)",
        "mlp' || touch made '",
        '"; touch made; "',
        "$$(touch made)",
    ],
)
@pytest.mark.parametrize("name", ["SPACE", "TRIALS", "ARGS"])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_no_value_is_read_as_a_command(checkout: Path, name: str, value: str, by: str) -> None:
    """Whatever is written in a value, it reaches the command as text and nothing runs."""
    given = {"SPACE": "mlp", name: value}
    done = (
        make(checkout, "sweep", *(f"{key}={text}" for key, text in given.items())) if by == "argument" else make(checkout, "sweep", **given)
    )
    words = arguments(done)
    assert {"SPACE": value in words, "TRIALS": f"--trials={value}" in words, "ARGS": value.rsplit(maxsplit=1)[-1] in words}[name]
    assert not (checkout / "made").exists()


def test_a_missing_value_is_asked_for(checkout: Path) -> None:
    """Without SPACE or CONFIG the target says how to give it and calls nothing."""
    for target, name in (("sweep", "SPACE"), ("check", "SPACE"), ("lr-range", "SPACE"), ("train", "CONFIG")):
        done = make(checkout, target)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"make {target} {name}=" in done.stderr


def test_every_target_is_in_the_help(checkout: Path) -> None:
    """``make`` alone prints one line for each target."""
    done = make(checkout)
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert [line.split()[1] for line in done.stdout.splitlines()] == phony


def test_a_ready_venv_is_left_alone(checkout: Path) -> None:
    """Nothing is installed while no pin is newer than the stamp, and something as soon as one is."""
    assert make(checkout, "-q", "setup").returncode == 0
    later = (checkout / ".venv" / "ready").stat().st_mtime + 10
    os.utime(checkout / "constraints.txt", (later, later))
    assert make(checkout, "-q", "setup").returncode == 1


def test_an_interrupted_setup_is_taken_up_again(checkout: Path) -> None:
    """A set-up that fails leaves no stamp, so that the next make goes on with it."""
    (checkout / ".venv" / "ready").unlink()
    script(checkout / ".venv" / "bin" / "python", 'case "$*" in *install*) exit 1;; esac')
    assert make(checkout, "setup").returncode == 2
    assert not (checkout / ".venv" / "ready").exists()
    script(checkout / ".venv" / "bin" / "python", 'printf "<%s>\\n" "$@"')
    done = make(checkout, "setup")
    assert done.returncode == 0
    assert "<--constraint>\n<constraints.txt>" in done.stdout
    assert (checkout / ".venv" / "ready").exists()


def test_an_unsuitable_python_is_refused(checkout: Path, tmp_path: Path) -> None:
    """A Python outside 3.11-3.13 is named with its version, and no .venv is made."""
    shutil.rmtree(checkout / ".venv")
    old = script(tmp_path / "python3.9", 'case "$1" in --version) echo "Python 3.9.18";; *) exit 1;; esac')
    done = make(checkout, "setup", f"PYTHON={old}")
    assert done.returncode == 2
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert "Python 3.9.18" in done.stderr
    assert not (checkout / ".venv").exists()
