"""What the learning rate that a range test suggests costs, against the best of a fine grid: ours and the other libraries' rules.

48 pairs of a problem and an optimizer, 21 of them never used for tuning (``ranges/problems.py``). Of each, 40 ladders of 100 steps from
1e-7 to 10, and 57 constant learning rates times 5 seeds, are recorded once, into runs/ranges; every rule reads the same ladders. Ours reads
five at a time; each peer's reads every single one, as its library does, and the median of the same five. ``ranges/regret.py`` defines the
regret.

Usage: python -m benchmarks lr_range [--part tuned|held-out] [--print-only]
       python -m benchmarks lr_range --compare-libraries     (those that can be imported, on a part of the ladders)
Writes benchmarks/results/DATE-lr_range.json and .md.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranges.curves import FOLDER, GRID_SEEDS, LADDER, LADDER_SEEDS, Curves, curves_of
from benchmarks.ranges.peers import PEERS, Rule
from benchmarks.ranges.problems import OPTIMIZERS, problems
from benchmarks.ranges.regret import Regret
from benchmarks.results import setting, write
from sweeper.lr_range.judge import judge

SEEDS = 5
"""Ladders that are read together."""
OURS = "sweeper"
HOW = f"""Regret: the share of the achievable drop of the loss that is lost by training at the suggested learning rate, not at the best of
the grid (`benchmarks/ranges/regret.py`); {len(LADDER_SEEDS) // SEEDS} repeats with {SEEDS} seeds each, {len(GRID_SEEDS)} other seeds on
the grid. *single*: the rule reads one ladder, as its library does; *median*: the median of the five that ours reads. The worst problem is
the one with the highest mean over the repeats. Spread: standard deviation of the suggestion over the repeats, in decades, mean over the
problems. No answer counts as a regret of 1."""
BRACKET = (
    "Our bracket overlaps the learning rates of at most 2% regret in {overlap:.1%} of the repeats, and holds the best in {holds_best:.1%}; "
    "the largest spread of a problem is {largest_spread:.2f} decades."
)


def repeats(curves: Curves, seeds: int = SEEDS) -> list[np.ndarray]:
    """The ladders, so many at a time."""
    return [curves.ladder[begin : begin + seeds] for begin in range(0, len(curves.ladder), seeds)]


def ours(curves: Curves, regret: Regret, seeds: int, *, plain: bool) -> dict[str, Any]:
    """What our test says of each repeat, and what that costs."""
    found = [judge(LADDER, losses, plain=plain) for losses in repeats(curves, seeds)]
    costs = told([one.suggestion for one in found], regret)
    return {
        **costs,
        "overlap": statistics.mean(regret.overlaps(one.bracket) for one in found),
        "holds_best": statistics.mean(one.bracket is not None and one.bracket[0] <= regret.best <= one.bracket[1] for one in found),
        "confidence": statistics.mean(one.confidence or 0.0 for one in found),
        "statuses": dict(Counter(one.status.value for one in found)),
    }


def told(suggestions: Sequence[float | None], regret: Regret) -> dict[str, Any]:
    """Mean and worst regret of repeated suggestions, and their spread: the standard deviation in decades."""
    costs = [regret(lr) for lr in suggestions]
    logs = [float(np.log10(lr)) for lr in suggestions if lr is not None]
    return {
        "regret": statistics.mean(costs),
        "worst": max(costs),
        "lr": 10 ** statistics.median(logs) if logs else None,
        "spread": statistics.pstdev(logs) if logs else None,
        "silent": statistics.mean(lr is None for lr in suggestions),
    }


def read(rule: Rule, curves: Curves, regret: Regret) -> dict[str, Any]:
    """What a peer's rule says of every single ladder, and of the medians of five."""
    # As in our own median, a ladder that is no longer finite is infinitely bad.
    medians = [np.median(np.where(np.isfinite(losses), losses, np.inf), axis=0) for losses in repeats(curves)]
    return {
        "single": told([rule(LADDER, losses) for losses in curves.ladder], regret),
        "median": told([rule(LADDER, losses) for losses in medians], regret),
    }


def measured(part: str, folder: Path) -> dict[str, Any]:
    """Every rule on every problem of a part: ``tuned``, ``held-out`` or ``all``."""
    rows: list[dict[str, Any]] = []
    for problem in problems():
        name = "held-out" if problem.held_out else "tuned"
        if part not in {"all", name}:
            continue
        curves = curves_of(problem, folder)
        regret = Regret.of(curves)
        plain = problem.optimizer == OPTIMIZERS["sgd"]
        mine = {"five": ours(curves, regret, SEEDS, plain=plain), "single": ours(curves, regret, 1, plain=plain)}
        rules = {OURS: mine, **{peer: read(rule, curves, regret) for peer, rule in PEERS.items()}}
        rows.append({"problem": problem.name, "part": name, "best_lr": regret.best, "drop": regret.drop, "rules": rules})
    return {**setting(), "rows": rows, "summary": [summed(rows, name) for name in dict.fromkeys(row["part"] for row in rows)]}


def summed(rows: Sequence[dict[str, Any]], part: str) -> dict[str, Any]:
    """Each rule over the problems of a part."""
    of_part = [row for row in rows if row["part"] == part]
    rules = {}
    for name, ways in of_part[0]["rules"].items():
        for way in ways:
            every = [row["rules"][name][way] for row in of_part]
            worst = max(of_part, key=lambda row: row["rules"][name][way]["regret"])
            rules[f"{name}, {way}"] = {
                "mean": statistics.mean(one["regret"] for one in every),
                "median": statistics.median(one["regret"] for one in every),
                "above_a_tenth": sum(one["regret"] > 0.1 for one in every),
                "worst": worst["rules"][name][way]["regret"],
                "where": worst["problem"],
                "worst_repeat": max(one["worst"] for one in every),
                "spread": statistics.mean(one["spread"] for one in every if one["spread"] is not None),
                "silent": statistics.mean(one["silent"] for one in every),
            }
    mine = [row["rules"][OURS]["five"] for row in of_part]
    bracket = {key: statistics.mean(one[key] for one in mine) for key in ("overlap", "holds_best")}
    return {"part": part, "problems": len(of_part), "rules": rules, **bracket, "largest_spread": max(one["spread"] or 0.0 for one in mine)}


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        f"# Learning rates that range tests suggest, {result['date']}",
        "",
        f"{result['told']}. `python -m benchmarks lr_range`",
        "",
        HOW,
    ]
    for part in result["summary"]:
        title = "Used for tuning" if part["part"] == "tuned" else "Held out"
        lines += [
            "",
            f"## {title}: {part['problems']} problems",
            "",
            "| rule | mean regret | median problem | worst | where | problems above 0.1 | worst single suggestion | spread | no answer |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {name} | {rule['mean']:.3f} | {rule['median']:.3f} | {rule['worst']:.3f} | {rule['where']} | {rule['above_a_tenth']} "
            f"| {rule['worst_repeat']:.3f} | {rule['spread']:.2f} | {rule['silent']:.0%} |"
            for name, rule in part["rules"].items()
        ]
        lines += ["", BRACKET.format(**part)]
    lines += [
        "",
        "## Ours, problem by problem",
        "",
        "| problem | part | best lr | suggested, median | regret | worst of the repeats | spread, decades | overlap | statuses |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        one = row["rules"][OURS]["five"]
        statuses = ", ".join(f"{status} {count}" for status, count in one["statuses"].items())
        suggested = "none" if one["lr"] is None else f"{one['lr']:.2g}"
        spread = "" if one["spread"] is None else f"{one['spread']:.2f}"
        lines.append(
            f"| {row['problem']} | {row['part']} | {row['best_lr']:.2g} | {suggested} | {one['regret']:.3f} "
            f"| {one['worst']:.3f} | {spread} | {one['overlap']:.0%} | {statuses} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Record what is missing, read all curves by every rule, and write the result; or compare the peers' rules with their libraries."""
    parser = argparse.ArgumentParser(prog="lr_range", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--part", choices=("tuned", "held-out", "all"), default="all", help="of the problems (default all)")
    parser.add_argument("--scratch", type=Path, default=FOLDER, help=f"keeps the curves (default {FOLDER})")
    parser.add_argument("--print-only", action="store_true", help="write nothing to benchmarks/results")
    parser.add_argument("--compare-libraries", action="store_true", help="whether the peers' rules say what their libraries say")
    options = parser.parse_args(arguments)
    if options.compare_libraries:
        from benchmarks.ranges.installed import compared

        ladders = [curves_of(problem, options.scratch).ladder[0] for problem in problems()]
        print(*compared(ladders), sep="\n")
        return
    result = measured(options.part, options.scratch)
    if not options.print_only:
        write("lr_range", result, page(result))
    print(page(result))
