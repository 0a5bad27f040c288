"""What it costs in quality to draw the architecture first and the scalars under it: ``shapes: auto`` against ``shapes: trials``.

Five tasks by eight seeds (of the split and of the search), 256 trials by two worker processes, random search and TPE, with and without
pruning, each once with ``shapes: auto`` (a few trials per architecture, trained in lanes where that is faster) and once with
``shapes: trials`` (every trial draws all of its config). Compared is the best val_loss of the first 64 and of all 256 trials by number.

Usage: python -m benchmarks shapes_quality [--tasks digits ...] [--seeds 0 1 ...] [--samplers tpe] [--pruners asha] [--print-only]
Every search is kept in runs/quality, where search_quality finds its references, and not made again.
Writes benchmarks/results/DATE-shapes_quality.json and .md.
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

from benchmarks.quality.runs import SCRATCH, Runs
from benchmarks.quality.tasks import TASKS
from benchmarks.quality.trace import Trace
from benchmarks.results import setting, write

BUDGETS = (64, 256)
HOW = """Difference of the best val_loss, `shapes: auto` against `shapes: trials`, in per cent of the loss (of logarithms; negative: auto
is better), paired by task and seed: mean with Student's 95% interval, and median. Mean rank of auto among the two (1.5: no difference). p
of Wilcoxon's signed ranks. By task: the mean difference."""


def compared(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Best values (auto, trials) of equal task and seed, compared.

    The difference is that of the logarithms, told in per cent of the loss: tasks differ in the size of their losses. The interval is
    Student's, 95%; the rank is 1 for the better and 2 for the worse.
    """
    from scipy import stats

    differences = [100 * math.log(auto / trials) for auto, trials in pairs]
    mean = statistics.mean(differences)
    half = float(stats.t.ppf(0.975, len(pairs) - 1)) * statistics.stdev(differences) / math.sqrt(len(pairs))
    return {
        "pairs": len(pairs),
        "mean_difference": mean,
        "interval": [mean - half, mean + half],
        "median_difference": statistics.median(differences),
        "mean_rank_auto": statistics.mean(1.5 if auto == trials else 1 + (auto > trials) for auto, trials in pairs),
        "signed_rank_p": float(stats.wilcoxon(differences).pvalue) if any(differences) else 1.0,
    }


def summary(found: dict[tuple[str, str, str, int], tuple[Trace, Trace]], budgets: Sequence[int]) -> dict[str, Any]:
    """The comparison per sampler, pruner and budget, over all tasks and by task."""
    tables = []
    for sampler, pruner in dict.fromkeys((sampler, pruner) for sampler, pruner, _, _ in found):
        of_arm = {key[2:]: traces for key, traces in found.items() if key[:2] == (sampler, pruner)}
        for budget in budgets:
            best = {key: (auto.best_of(budget), trials.best_of(budget)) for key, (auto, trials) in of_arm.items()}
            by_task = {task: compared([pair for key, pair in best.items() if key[0] == task]) for task, _ in best}
            tables.append({"sampler": sampler, "pruner": pruner, "trials": budget, "all": compared(list(best.values())), "tasks": by_task})
    return {
        **setting(),
        "tables": tables,
        "searches": [
            {
                "sampler": sampler,
                "pruner": pruner,
                "task": task,
                "seed": seed,
                "shapes": shapes,
                "seconds": trace.seconds,
                "epochs": trace.epochs,
                "outcomes": trace.outcomes,
                **{f"best_of_{budget}": trace.best_of(budget) for budget in budgets},
            }
            for (sampler, pruner, task, seed), traces in found.items()
            for shapes, trace in zip(("auto", "trials"), traces, strict=True)
        ],
    }


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    tasks = list(result["tables"][0]["tasks"])
    lines = [
        f"# The architecture first, or every trial its own, {result['date']}",
        "",
        f"{result['told']}. `python -m benchmarks shapes_quality`",
        "",
        HOW,
        "",
        "| sampler | pruner | trials | pairs | mean difference | median | mean rank of auto | p | " + " | ".join(tasks) + " |",
        "|---" * (8 + len(tasks)) + "|",
    ]
    for table in result["tables"]:
        of = table["all"]
        low, high = of["interval"]
        by_task = " | ".join(f"{table['tasks'][task]['mean_difference']:+.1f}%" for task in tasks)
        lines.append(
            f"| {table['sampler']} | {table['pruner']} | {table['trials']} | {of['pairs']} "
            f"| {of['mean_difference']:+.1f}% ({low:+.1f} to {high:+.1f}) | {of['median_difference']:+.1f}% "
            f"| {of['mean_rank_auto']:.2f} | {of['signed_rank_p']:.2f} | {by_task} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Make the searches and write the result."""
    parser = argparse.ArgumentParser(prog="shapes_quality", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=list(range(8)), help="of the split and the search, at least two (default 0 to 7)"
    )
    parser.add_argument("--samplers", nargs="+", choices=("random", "tpe"), default=["random", "tpe"])
    parser.add_argument("--pruners", nargs="+", choices=("none", "asha"), default=["none", "asha"])
    parser.add_argument("--trials", type=int, default=max(BUDGETS), help=f"of each search (default {max(BUDGETS)})")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help=f"keeps every search (default {SCRATCH})")
    parser.add_argument("--print-only", action="store_true", help="write nothing to benchmarks/results")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: through every `with`
    runs = Runs(options.scratch, options.trials)
    found = {}
    for seed in options.seeds:
        for place, task in enumerate(options.tasks):
            for sampler in options.samplers:
                for pruner in options.pruners:
                    order = ("auto", "trials") if (seed + place) % 2 == 0 else ("trials", "auto")
                    made = {shapes: runs.made(task, seed, f"{sampler}-{pruner}-{shapes}") for shapes in order}
                    found[sampler, pruner, task, seed] = (made["auto"], made["trials"])
    result = summary(found, [budget for budget in BUDGETS if budget < options.trials] + [options.trials])
    if not options.print_only:
        write("shapes_quality", result, page(result))
    print(page(result))
