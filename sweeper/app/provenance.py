"""Where a result came from: code, versions, machine."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
from importlib import metadata
from typing import Any

PACKAGES = ("sweeper", "torch", "ray", "optuna", "mlflow", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result, read without importing them."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def git_state() -> dict[str, Any]:
    """``git_commit`` (None outside a repository) and ``git_dirty`` of the current directory."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {"git_commit": None, "git_dirty": None}
    return {"git_commit": commit, "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def machine() -> dict[str, Any]:
    """Host, user and processor: for people who wonder where a sweep ran."""
    return {
        "host": socket.gethostname(),
        "user": getpass.getuser() if "USER" in os.environ or "LOGNAME" in os.environ else str(os.getuid()),
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
    }


def run_tags() -> dict[str, str]:
    """All of it as MLflow tags."""
    told = {**git_state(), **machine(), **{f"version.{name}": version for name, version in versions().items()}}
    return {key: str(value) for key, value in told.items()}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603, S607 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
