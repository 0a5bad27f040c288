"""Every shipped space against its linear baseline, on rows neither has seen: its own split, and splits on which nothing was chosen.

Every split gets a sweep of its own by the public command, in one process, and its winner is tested once; the baseline is fitted on the
same training part. Differences are paired by split; their interval is Student's, 95%. Where it holds zero, the two are told a tie.

Usage: python -m benchmarks shipped_spaces [--spaces NAME ...] [--splits SEED ...] [--trials N] [--set KEY=VALUE]
Writes benchmarks/results/DATE-shipped_spaces.json and .md after each sweep; what is there of the same day stays.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, setting, write
from benchmarks.winner_vs_baseline import STUDENT_95

NAME = "shipped_spaces"
ROOT = Path(__file__).resolve().parents[1]
SPACES = ("mlp", "cnn", "rnn", "transformer", "tabular", "regression", "timeseries", "text", "custom", "churn")
SHIPPED = 0
"""The seed of the split in the space files."""
UNTOUCHED = (10, 11, 12, 13, 14)
HEADINGS = (
    "space",
    "baseline",
    "trials",
    "processor time",
    "score",
    "validation",
    "test",
    "gain on untouched splits",
    "ahead on",
    "gain in test loss there",
    "ahead on",
)
SMALLER_IS_BETTER = frozenset({"loss", "mae", "rmse"})


def space_of(name: str, home: str) -> str:
    """What the command is given: a name, or a file; the churn table is written first, into ``home``."""
    folder = ROOT / "examples" / name
    if not folder.is_dir():
        return name
    copy = Path(home) / name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if (maker := copy / f"make_{name}.py").is_file():
        subprocess.run([sys.executable, str(maker)], check=True)
    return str(copy / f"{name}.yaml")


def run(name: str, split: int, trials: int | None, overrides: Sequence[str]) -> dict[str, Any]:
    """One sweep of a space on one split.

    Raises:
        CalledProcessError: the sweep failed.
    """
    before = processor_time()
    with tempfile.TemporaryDirectory(prefix="shipped-") as home:
        options = [part for override in (f"data.seed={split}", *overrides) for part in ("--set", override)]
        options += [] if trials is None else ["--trials", str(trials)]
        command = [sys.executable, "-m", "sweeper", "sweep", space_of(name, home), "--runner", "local", "--json", *options]
        done = subprocess.run(command, env=os.environ | {"SWEEPER_HOME": home}, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    searched = told["metric"].removeprefix("val_")
    score = "accuracy" if searched == "loss" else searched
    return {
        "space": name,
        "split": split,
        "trials": told["trials"]["target"],
        "complete": told["trials"]["complete"],
        "score": score,
        "baseline": told["baseline"]["name"],
        "val": (told["winner"]["metrics"][f"val_{score}"], told["baseline"][f"val_{score}"]),
        "test": (told["test"]["metrics"][score], told["baseline"][f"test_{score}"]),
        "val_loss": (told["winner"]["metrics"]["val_loss"], told["baseline"]["val_loss"]),
        "test_loss": (told["test"]["metrics"]["loss"], told["baseline"]["test_loss"]),
        "values": told["winner"]["values"],
        "processor_seconds": processor_time() - before,
    }


def processor_time() -> float:
    """Of all children that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def gain(run: dict[str, Any], part: str) -> float:
    """By how much the winner is better than the baseline."""
    winner, baseline = run[part]
    return float(baseline - winner if run["score"] in SMALLER_IS_BETTER or part.endswith("loss") else winner - baseline)


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Of the mean, 95%."""
    mean = statistics.mean(differences)
    half = STUDENT_95[len(differences)] * statistics.stdev(differences) / len(differences) ** 0.5
    return mean - half, mean + half


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """A space's line of the table: its runs on all splits."""
    own = next((one for one in runs if one["split"] == SHIPPED), None)
    others = [one for one in runs if one["split"] != SHIPPED]
    first = runs[0]
    cells = [first["space"], first["baseline"], str(first["trials"]), f"{statistics.median(r['processor_seconds'] for r in runs):.0f} s"]
    cells.append(first["score"])
    cells += [f"{own[part][0]:.3f} / {own[part][1]:.3f}" if own else "-" for part in ("val", "test")]
    for part in ("test", "test_loss"):
        differences = [gain(one, part) for one in others]
        if len(differences) < 2:
            cells += ["-", "-"]
            continue
        low, high = interval(differences)
        ahead, equal = sum(d > 0 for d in differences), sum(d == 0 for d in differences)
        told = "ahead" if low > 0 else "behind" if high < 0 else "tie"
        cells += [f"{statistics.mean(differences):+.3f} ({low:+.3f} to {high:+.3f}): {told}"]
        cells += [f"{ahead} of {len(differences)}" + (f", {equal} equal" if equal else "")]
    return "| " + " | ".join(cells) + " |"


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    by_space = {name: [one for one in result["runs"] if one["space"] == name] for name in SPACES}
    lines = [
        f"# The shipped spaces against their baselines, {result['date']}",
        "",
        f"{result['told']}. `python -m benchmarks {NAME}`",
        "",
        "Cells with a slash are winner / baseline on the split that the space ships with. Gains are those of the winner over the baseline",
        "on test rows (for a loss or an error: how much smaller), paired over the other splits, with their 95% interval.",
        "",
        f"| {' | '.join(HEADINGS)} |",
        "|" + "---|" * len(HEADINGS),
        *(summary(runs) for runs in by_space.values() if runs),
        "",
        "| space | split | val winner | val baseline | test winner | test baseline | test loss winner | test loss baseline | complete |",
        "|" + "---|" * 9,
    ]
    for one in (one for runs in by_space.values() for one in sorted(runs, key=lambda run: run["split"])):
        numbers = " | ".join(f"{value:.4f}" for part in ("val", "test", "test_loss") for value in one[part])
        lines.append(f"| {one['space']} | {one['split']} | {numbers} | {one['complete']} of {one['trials']} |")
    return "\n".join(lines) + "\n"


def kept(date: str) -> list[dict[str, Any]]:
    """What was measured on this day before."""
    file = FOLDER / f"{date}-{NAME}.json"
    return json.loads(file.read_text())["runs"] if file.is_file() else []


def main(arguments: list[str]) -> None:
    """Sweep every space on every split and write the result."""
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES, metavar="NAME", help="default: all")
    splits = (SHIPPED, *UNTOUCHED)
    parser.add_argument("--splits", nargs="+", type=int, default=splits, metavar="SEED", help=f"default: {splits}")
    parser.add_argument("--trials", type=int, help="of each sweep; then nothing is written (default: the space's own)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in `sweeper sweep`; then nothing is written")
    options = parser.parse_args(arguments)
    for name in options.spaces:
        for split in options.splits:
            made = run(name, split, options.trials, options.set)
            print(json.dumps(made), flush=True)
            if options.trials is None and not options.set:
                told = setting()
                others = [one for one in kept(told["date"]) if (one["space"], one["split"]) != (name, split)]
                result = {**told, "runs": [*others, made]}
                write(NAME, result, page(result))
