"""What streaming costs: epochs of training from files in the page cache against epochs from memory.

All arms train the same trial in one process, in turns, by the plain engine, and give the same bits; a figure is the median of the ratios of
the turns, evaluation of the validation part included. ``w`` is the number of processes that read ahead; they start anew in every pass.

Usage: python -m benchmarks streaming [--repeats 5] [--workers 0 1 2]
Writes benchmarks/results/DATE-streaming.json and .md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.results import setting, write
from sweeper.config.schema import Config, Data
from sweeper.core.batches import Resident
from sweeper.core.stack.plain import PlainStack
from sweeper.data.prepare import prepare
from sweeper.trial import Trial


@dataclass(frozen=True)
class Case:
    """What is trained on what.

    Attributes:
        rows: of all parts.
        shape: of a row.
        image: whether rows are PNG files in place of an array.
        model: its section.
    """

    name: str
    rows: int
    shape: tuple[int, ...]
    image: bool
    model: dict[str, Any]


CASES = (
    Case("mlp 64-128-128-10 on float32 [64]", 300_000, (64,), False, {"family": "mlp", "width": 128}),
    Case("mlp 784-256-256-10 on float32 [784]", 100_000, (784,), False, {"family": "mlp", "width": 256}),
    Case("cnn of 16 channels on uint8 [3, 32, 32]", 6000, (3, 32, 32), False, {"family": "cnn", "channels": 16}),
    Case("mlp of width 64 on PNG files of 64 x 64", 8000, (3, 64, 64), True, {"family": "mlp", "width": 64}),
)


def make(case: Case, folder: Path) -> str:
    """Writes the rows; the source to read them from."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, case.rows)
    if not case.image:
        small = len(case.shape) == 3
        x = rng.integers(0, 256, (case.rows, *case.shape), np.uint8) if small else rng.standard_normal((case.rows, *case.shape), np.float32)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
        return str(folder)
    for row, label in enumerate(y):
        file = folder / str(label) / f"{row}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*case.shape[1:], 3), np.uint8)).save(file)
    return str(folder)


def measure(case: Case, repeats: int, workers: Sequence[int]) -> dict[str, Any]:
    """Times of the other arms in units of the first one's."""
    arms: dict[str, dict[str, Any]] = {
        "memory": {"stream": False},
        **{f"w {number}": {"stream": True, "loader_workers": number} for number in workers},
    }
    tree = {"name": "streaming", "model": case.model, "training": {"epochs": 100, "batch_size": 64, "engine": "plain"}}
    trial = Trial(0, 0, {}, Config.model_validate(tree).model_dump(mode="json"), "streaming")
    with tempfile.TemporaryDirectory() as folder:
        source = make(case, Path(folder))
        stacks = {
            arm: PlainStack(
                [trial],
                Resident.of(
                    prepare(Data(source=source, image_size=case.shape[-1] if case.image else 32, **keys), "classification"),
                    torch.device("cpu"),
                ),
            )
            for arm, keys in arms.items()
        }
        times: dict[str, list[float]] = {arm: [] for arm in arms}
        for _ in range(repeats + 1):
            losses = set()
            for arm, stack in stacks.items():
                started = time.perf_counter()
                losses.add(stack.run_epoch()[0]["val_loss"])
                times[arm].append(time.perf_counter() - started)
            assert len(losses) == 1, "the arms do not train alike"  # noqa: S101
    ratios = {arm: median(one / base for one, base in zip(found[1:], times["memory"][1:], strict=True)) for arm, found in times.items()}
    return {"case": case.name, "rows": case.rows, "seconds": median(times["memory"][1:]), "ratios": ratios}


def page(result: dict[str, Any]) -> str:
    """The table for people."""
    arms = [arm for arm in result["rows"][0]["ratios"] if arm != "memory"]
    lines = [
        f"# Training from files in the page cache against training from memory, {result['date']}",
        "",
        f"{result['told']}; one thread; median of {result['repeats']} turns; times as long. `python -m benchmarks streaming`",
        "",
        "| model and rows | rows | epoch from memory, s | " + " | ".join(arms) + " |",
        "|---|---|---|" + "---|" * len(arms),
    ]
    for row in result["rows"]:
        told = " | ".join(f"{row['ratios'][arm]:.2f}" for arm in arms)
        lines.append(f"| {row['case']} | {row['rows']} | {row['seconds']:.2f} | {told} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(prog="streaming", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5, help="turns of each arm (default 5)")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="numbers of reading processes (default 0 1 2)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for case in CASES:
        rows.append(measure(case, options.repeats, options.workers))
        print(rows[-1], flush=True)
    result = {**setting(), "repeats": options.repeats, "rows": rows}
    print(page(result))
    write("streaming", result, page(result))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
