"""Over ten splits of digits: the winner of the shipped mlp space against logistic regression, on rows neither has seen.

Every split gets a sweep of its own by the public command, and its winner is tested once; the baseline is fitted on the same training
part. The difference is paired by split; its interval is Student's, 95%.

Usage: python -m benchmarks winner_vs_baseline [--splits 10] [--first 10] [--trials 64] [--set KEY=VALUE]
Writes benchmarks/results/DATE-winner_vs_baseline.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.results import setting, write

STUDENT_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262, 11: 2.228, 12: 2.201}
"""Two-sided 95% quantile of Student's t by number of pairs."""


def run(split: int, trials: int, overrides: list[str]) -> dict[str, Any]:
    """One sweep on one split.

    Raises:
        CalledProcessError: the sweep failed.
    """
    with tempfile.TemporaryDirectory(prefix="winner-") as home:
        options = [part for override in (f"data.seed={split}", *overrides) for part in ("--set", override)]
        command = [sys.executable, "-m", "sweeper", "sweep", "mlp", "--runner", "local", "--trials", str(trials), "--json", *options]
        done = subprocess.run(command, env=os.environ | {"SWEEPER_HOME": home}, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return {
        "split": split,
        "winner": told["test"]["metrics"]["accuracy"],
        "baseline": told["baseline"]["test_accuracy"],
        "val_loss": told["winner"]["value"],
        "complete": told["trials"]["complete"],
        "seconds": told["seconds"],
    }


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    low, high = result["interval"]
    lines = [
        f"# The winner of `mlp` against logistic regression on digits, {result['date']}",
        "",
        f"{result['trials']} trials on each of {len(result['runs'])} splits; {result['told']}. `python -m benchmarks winner_vs_baseline`",
        "",
        "| split | winner's test accuracy | logistic regression's | winner's val_loss | trials to their end |",
        "|---|---|---|---|---|",
        *(f"| {r['split']} | {r['winner']:.4f} | {r['baseline']:.4f} | {r['val_loss']:.4f} | {r['complete']} |" for r in result["runs"]),
        f"| mean | {result['mean_winner']:.4f} | {result['mean_baseline']:.4f} | | |",
        "",
        f"Paired difference: {result['mean_difference']:+.4f}, 95% interval {low:+.4f} to {high:+.4f}.",
        f"The winner is ahead on {result['ahead']} of {len(result['runs'])} splits.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Sweep every split and write the result."""
    parser = argparse.ArgumentParser(prog="winner_vs_baseline", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--splits", type=int, choices=sorted(STUDENT_95), default=10, help="how many (default 10)")
    parser.add_argument("--first", type=int, default=10, help="seed of the first split (default 10: defaults were chosen on 0 to 9)")
    parser.add_argument("--trials", type=int, default=64, help="of each sweep (default 64)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in `sweeper sweep`; then nothing is written")
    options = parser.parse_args(arguments)
    runs = []
    for split in range(options.first, options.first + options.splits):
        runs.append(run(split, options.trials, options.set))
        print(json.dumps(runs[-1]), flush=True)
    differences = [made["winner"] - made["baseline"] for made in runs]
    mean = statistics.mean(differences)
    half = STUDENT_95[len(runs)] * statistics.stdev(differences) / len(runs) ** 0.5
    result = {
        **setting(),
        "trials": options.trials,
        "mean_winner": statistics.mean(made["winner"] for made in runs),
        "mean_baseline": statistics.mean(made["baseline"] for made in runs),
        "mean_difference": mean,
        "interval": (mean - half, mean + half),
        "ahead": sum(difference > 0 for difference in differences),
        "runs": runs,
    }
    print(page(result))
    if not options.set:
        write("winner_vs_baseline", result, page(result))
