"""How soon a search is as good as the best of 256 random trials without pruning: sweeper's default, Optuna alone, Ray Tune.

For each of five tasks and ten seeds (of the split and of the search) the *reference*, random search without pruning by the same core with
one lane, says what is to be reached: a val_loss within 1% of the best that it ever saw. Every arm has the same space, 256 trials and two
worker processes, and stops when a trial that good is complete. Arms of a pair run one after another, in changing order.
Ray Tune, and sweeper as a user calls it, run on one task and three seeds only.

Usage: python -m benchmarks search_quality [--tasks digits ...] [--seeds 0 1 ...] [--arms sweeper optuna ray product] [--print-only]
Every search is kept in runs/quality and not made again, so it can be done in several sittings.
Writes benchmarks/results/DATE-search_quality.json, .md and .png from all searches asked for.
"""

from __future__ import annotations

import argparse
import math
import signal
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality import survival
from benchmarks.quality.runs import RAY_SECONDS, REFERENCE, SCRATCH, Runs
from benchmarks.quality.survival import Time
from benchmarks.quality.tasks import TASKS
from benchmarks.quality.trace import Trace
from benchmarks.results import FOLDER, setting, write

NAMES = {
    REFERENCE: "random, no pruning (reference)",
    "sweeper": "sweeper's default",
    "optuna": "Optuna alone: TPE, ASHA, n_jobs=2",
    "ray": "Ray Tune: OptunaSearch, ASHA",
    "product": "`sweeper sweep` (Ray, MLflow)",
}
SLOW = ("ray", "product")
SLOW_TASK, SLOW_SEEDS = "digits", 3
HOW = """Seconds count from the first training step to the first report within 1% of the reference's best. *Times faster*: the reference's
time by the arm's, median over pairs of task and seed, with a 95% bootstrap interval; a search that spent all its trials in vain counts as
0, one that was given up as if it had reached it then. *Than the whole*: the time of the reference's whole search by the arm's, since only
the end tells the reference which of its trials is the best. *Complete*: times faster until the trial that reached it had ended. *With
start-up*: times faster from the arm's start. The first three arms import and load data in fresh processes, without Ray or MLflow; the
last two are measured as commands. *Trials* and *epochs*: medians of what was trained until it was reached, or in vain."""


def search(runs: Runs, tasks: Sequence[str], seeds: Sequence[int], arms: Sequence[str]) -> dict[tuple[str, int], dict[str, Trace]]:
    """Make what has not been made; by (task, seed), the traces by arm."""
    found: dict[tuple[str, int], dict[str, Trace]] = {}
    for seed in seeds:
        for place, task in enumerate(tasks):
            reference = runs.made(task, seed, REFERENCE)
            traces = {REFERENCE: reference}
            turn = (seed + place) % len(arms)
            for arm in [*arms[turn:], *arms[:turn]]:
                if arm not in SLOW or (task == SLOW_TASK and seed in seeds[:SLOW_SEEDS]):
                    traces[arm] = runs.made(task, seed, arm, reference.target())
            found[task, seed] = traces
    return found


def when(trace: Trace, target: float, *, complete: bool = False) -> Time:
    """When the search reached the target."""
    at = trace.completed(target) if complete else trace.reached(target)
    if at is not None:
        return Time(at, reached=True)
    return Time(trace.seconds if trace.ended == "time" else math.inf, reached=False)


def compared(pairs: Sequence[dict[str, Trace]], arms: Sequence[str]) -> dict[str, Any]:
    """Per arm, its figures over these pairs."""
    targets = [traces[REFERENCE].target() for traces in pairs]

    def times(arm: str, *, complete: bool = False) -> list[Time]:
        return [when(traces[arm], target, complete=complete) for traces, target in zip(pairs, targets, strict=True)]

    def started(arm: str) -> list[Time]:
        return [time.later(traces[arm].startup) for time, traces in zip(times(arm), pairs, strict=True)]

    table = {}
    for arm in arms:
        own = times(arm)
        faster, low, high = survival.times_faster(times(REFERENCE), own)
        whole = [Time(traces[REFERENCE].seconds, reached=True) for traces in pairs]
        table[arm] = {
            "searches": len(own),
            "reached": survival.reached(own),
            "quartiles": [_finite(survival.quantile(own, share)) for share in (0.25, 0.5, 0.75)],
            "times_faster": faster,
            "interval": [low, high],
            "times_faster_whole": survival.times_faster(whole, own),
            "times_faster_complete": survival.times_faster(times(REFERENCE, complete=True), times(arm, complete=True))[0],
            "times_faster_with_startup": survival.times_faster(started(REFERENCE), started(arm))[0],
            "startup": statistics.median(traces[arm].startup for traces in pairs),
            "trials": statistics.median(traces[arm].trials for traces in pairs),
            "epochs": statistics.median(traces[arm].epochs for traces in pairs),
        }
    return table


def _finite(seconds: float) -> float | None:
    """JSON has no infinity."""
    return seconds if math.isfinite(seconds) else None


def rows(table: dict[str, Any]) -> list[str]:
    """The figures as a Markdown table."""
    lines = [
        "| | reached | seconds, quartiles | times faster | than the whole | complete | with start-up | start-up, s | trials | epochs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm, of in table.items():
        quartiles = " / ".join("not reached" if at is None else f"{at:.1f}" for at in of["quartiles"])
        low, high = of["interval"]
        whole = "{:.1f} ({:.1f}-{:.1f})".format(*of["times_faster_whole"])
        faster = f"{of['times_faster']:.1f} ({low:.1f}-{high:.1f}) | {whole}"
        others = f"{of['times_faster_complete']:.1f} | {of['times_faster_with_startup']:.1f} | {of['startup']:.1f}"
        lines.append(
            f"| {NAMES[arm]} | {of['reached']:.0%} of {of['searches']} | {quartiles} | {faster} | {others} "
            f"| {of['trials']:.0f} | {of['epochs']:.0f} |"
        )
    return lines


def summary(found: dict[tuple[str, int], dict[str, Trace]], trials: int) -> dict[str, Any]:
    """All figures: over all pairs, by task, and over the pairs that the slow arms have."""
    pairs = list(found.values())
    fast = [arm for arm in NAMES if arm not in SLOW and all(arm in traces for traces in pairs)]
    slow = [arm for arm in NAMES if any(arm in traces for traces in pairs)]
    few = [traces for traces in pairs if all(arm in traces for arm in slow)]
    tasks = list(dict.fromkeys(task for task, _ in found))
    return {
        **setting(),
        "trials": trials,
        "all": compared(pairs, fast),
        "slow": compared(few, slow) if slow != fast else {},
        "tasks": {task: compared([traces for (name, _), traces in found.items() if name == task], fast) for task in tasks},
        "searches": [
            {
                "task": task,
                "seed": seed,
                "arm": arm,
                "best": min(trace.best.values()),
                "target": traces[REFERENCE].target(),
                "reached": trace.reached(traces[REFERENCE].target()),
                "complete": trace.completed(traces[REFERENCE].target()),
                "ended": trace.ended,
                "startup": trace.startup,
                "seconds": trace.seconds,
                "epochs": trace.epochs,
                "outcomes": trace.outcomes,
            }
            for (task, seed), traces in found.items()
            for arm, trace in traces.items()
        ],
    }


def page(result: dict[str, Any], picture: str) -> str:
    """The result for people."""
    lines = [
        f"# Time to the best of {result['trials']} random trials, {result['date']}",
        "",
        f"{result['told']}. `python -m benchmarks search_quality`",
        "",
        HOW,
        "",
        *rows(result["all"]),
        "",
        f"![share of searches that have not reached it, by time]({picture})",
    ]
    if result["slow"]:
        lines += ["", f"The slow arms, on {SLOW_TASK}, and the others on the same pairs:", "", *rows(result["slow"])]
    for task, table in result["tasks"].items():
        lines += ["", f"{task}:", "", *rows(table)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Make the searches and write the result."""
    parser = argparse.ArgumentParser(prog="search_quality", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)), help="of the split and the search (default 0 to 9)")
    parser.add_argument("--arms", nargs="+", choices=list(NAMES)[1:], default=list(NAMES)[1:], help="beside the reference")
    parser.add_argument("--trials", type=int, default=256, help="of each search (default 256)")
    parser.add_argument(
        "--ray-limit", type=float, default=RAY_SECONDS, help=f"seconds after which Ray Tune's is given up (default {RAY_SECONDS:g})"
    )
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help=f"keeps every search (default {SCRATCH})")
    parser.add_argument("--print-only", action="store_true", help="write nothing to benchmarks/results")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: through every `with`
    found = search(Runs(options.scratch, options.trials, options.ray_limit), options.tasks, options.seeds, options.arms)
    result = summary(found, options.trials)
    picture = (options.scratch if options.print_only else FOLDER) / f"{result['date']}-search_quality.png"
    targets = {pair: traces[REFERENCE].target() for pair, traces in found.items()}
    curves = {NAMES[arm]: [when(traces[arm], targets[pair]) for pair, traces in found.items()] for arm in result["all"]}
    survival.draw(curves, f"Reaching the best of {options.trials} random trials, {len(found)} pairs of task and seed", picture)
    if not options.print_only:
        write("search_quality", result, page(result, picture.name))
    print(page(result, picture.name))
