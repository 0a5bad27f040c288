"""Where and with what a figure was measured, and the files that keep it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"
PACKAGES = ("torch", "ray", "optuna", "mlflow")


def setting(device: Any = None) -> dict[str, Any]:
    """Date, cores, processor model and versions; ``told`` says them in a line.

    Args:
        device: a ``torch.device``; a GPU's name is told too.
    """
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    cores = len(os.sched_getaffinity(0))
    versions = {package: version(package) for package in PACKAGES if find_spec(package)}
    python = sys.version.split()[0]
    if device is not None and device.type == "cuda":
        import torch

        cpu = f"{cpu} with one {torch.cuda.get_device_name(device)}"
    told = f"{cores} cores of {cpu}, Python {python}, " + ", ".join(f"{name} {number}" for name, number in versions.items())
    today = datetime.now(UTC).date().isoformat()
    return {"date": today, "machine": {"cores": cores, "cpu": cpu}, "python": python, "versions": versions, "told": told}


def write(name: str, result: dict[str, Any], page: str, folder: Path = FOLDER) -> None:
    """Keep the result as ``DATE-NAME.json`` and ``.md``, by default in ``results/``."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{result['date']}-{name}"
    target.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    target.with_suffix(".md").write_text(page)
