"""What the learning rate that a range test suggests costs, against the best of a fine grid: ours and the other libraries' rules.

Pairs of a problem and an optimizer, some of them not looked at before the rules were done (``ranges/problems.py``). Of each, 40 ladders of
100 steps from 1e-7 to 10, and 57 constant learning rates times 5 seeds, are recorded once, into runs/ranges; every rule reads the same
ladders. Ours reads five at a time, and trains with constant rates about what they suggest, which are recorded as well; where 100 steps show
nothing, it is ladders, rates and grid of 300. Each peer's reads every single one, as its library does, and the median of the same five.
``ranges/regret.py`` defines the regret, and which grid is too noisy for one: it gets 20 more seeds near its best, or 300 steps, or is no
problem that is held out.

Usage: python -m benchmarks lr_range [--part tuned|held-out] [--without PROBLEM ...] [--print-only]
       python -m benchmarks lr_range --compare-libraries     (those that can be imported, on a part of the ladders)
Writes benchmarks/results/DATE-lr_range.json and .md, of one part DATE-lr_range-PART.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranges.curves import FOLDER, GRID_SEEDS, LADDER_SEEDS, MORE_SEEDS, Curves, Recorded, ladder
from benchmarks.ranges.ours import Answer, ladder_alone, whole
from benchmarks.ranges.peers import PEERS, Rule
from benchmarks.ranges.problems import problems
from benchmarks.ranges.regret import ADMITTED, QUIET, Regret
from benchmarks.results import setting, write
from sweeper.lr_range.ladder import SEEDS, STEPS
from sweeper.lr_range.run import LONGER

OURS = "sweeper"
EQUAL = 15
"""Ladders that cost about what our whole test does."""
HOW = f"""Regret: the share of the achievable drop of the loss that is lost by training at the suggested learning rate, not at the best of
the grid (`benchmarks/ranges/regret.py`), for as many steps as our ladder had: 100, or 300 where those had shown nothing; that of the
peers' for 100. {len(LADDER_SEEDS) // SEEDS} repeats with {SEEDS} seeds each, {len(GRID_SEEDS)} other seeds on the grid, {len(MORE_SEEDS)}
more of them near its best where the standard error of that is above {QUIET:.0%} of the drop. What is held out is measured by grids of at
most {ADMITTED:.0%}: where that of 100 steps has more, peers' ladders and all regrets are of 300.
*sweeper, whole*: the test as it is, ladder and constant rates; *ladder*: without the constant rates (`--no-probe`). *single*: the peer's
rule reads one ladder, as its library does; *median*: the median of the five that ours reads; *median of {EQUAL}*: about as many steps as
our whole test. The worst problem is the one with the highest mean over the repeats. Spread: standard deviation of the suggestion over the
repeats, in decades, mean over the problems. No answer counts as a regret of 1. Steps: optimizer steps of a test, over all seeds, mean over
the problems."""
BRACKET = (
    "Our bracket ({name}) overlaps the learning rates of at most 2% regret in {overlap:.1%} of the repeats, and holds the best in "
    "{holds_best:.1%}; the largest spread of a problem is {largest_spread:.2f} decades."
)


def medians(curves: Curves, seeds: int) -> list[np.ndarray]:
    """The median of the ladders, so many at a time; as in ours, a ladder that is no longer finite is infinitely bad."""
    finite = np.where(np.isfinite(curves.ladder), curves.ladder, np.inf)
    return [np.median(finite[begin : begin + seeds], axis=0) for begin in range(0, len(finite) - seeds + 1, seeds)]


def ours(recorded: Recorded, answers: Sequence[Answer], least: int) -> dict[str, Any]:
    """What repeated tests of ours say, and what that costs, each at its own horizon or at the least at which the grid can tell."""
    found = [(one, recorded.regret(max(one.horizon, least))) for one in answers]
    return {
        **told([(one.suggestion, regret) for one, regret in found]),
        "best_lr": statistics.median(regret.best for _, regret in found),
        "overlap": statistics.mean(regret.overlaps(one.bracket) for one, regret in found),
        "holds_best": statistics.mean(one.bracket is not None and one.bracket[0] <= regret.best <= one.bracket[1] for one, regret in found),
        "confidence": statistics.mean(one.confidence or 0.0 for one in answers),
        "cost": statistics.mean(one.cost for one in answers),
        "statuses": dict(Counter(one.status.value for one in answers)),
        "horizons": dict(Counter(one.horizon for one in answers)),
    }


def told(suggested: Sequence[tuple[float | None, Regret]]) -> dict[str, Any]:
    """Mean and worst regret of repeated suggestions, and their spread: the standard deviation in decades."""
    costs = [regret(lr) for lr, regret in suggested]
    logs = [float(np.log10(lr)) for lr, _ in suggested if lr is not None]
    return {
        "regret": statistics.mean(costs),
        "worst": max(costs),
        "lr": 10 ** statistics.median(logs) if logs else None,
        "spread": statistics.pstdev(logs) if logs else None,
        "silent": statistics.mean(lr is None for lr, _ in suggested),
    }


def read(rule: Rule, curves: Curves, regret: Regret) -> dict[str, Any]:
    """What a peer's rule says of every single ladder, and of medians of several."""
    lrs = ladder(curves.ladder.shape[1])
    ways = {"single": list(curves.ladder), "median": medians(curves, SEEDS), f"median of {EQUAL}": medians(curves, EQUAL)}
    return {
        way: {**told([(rule(lrs, losses), regret) for losses in ladders]), "cost": seeds * len(lrs)}
        for (way, ladders), seeds in zip(ways.items(), (1, SEEDS, EQUAL), strict=True)
    }


def measured(part: str, folder: Path, without: Sequence[str] = ()) -> dict[str, Any]:
    """Every rule on every problem of a part: ``tuned``, ``held-out`` or ``all``; some may be left out by name, and are told."""
    rows: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for problem in problems():
        name = "held-out" if problem.held_out else "tuned"
        if part not in {"all", name} or problem.name in without:
            continue
        recorded = Recorded(problem, folder)
        horizon = recorded.horizon() if problem.held_out else STEPS
        if horizon is None:
            refused.append({"problem": problem.name, "noise": {steps: recorded.regret(steps).noise for steps in (STEPS, LONGER)}})
            continue
        curves, regret = recorded.curves(horizon), recorded.regret(horizon)
        seeds = [range(begin, begin + SEEDS) for begin in range(0, len(LADDER_SEEDS), SEEDS)]
        mine = {
            "whole": ours(recorded, [whole(recorded, some) for some in seeds], horizon),
            "ladder": ours(recorded, [ladder_alone(recorded, some) for some in seeds], horizon),
        }
        rules = {OURS: mine, **{peer: read(rule, curves, regret) for peer, rule in PEERS.items()}}
        rows.append({"problem": problem.name, "part": name, "drop": regret.drop, "noise": regret.noise, "steps": horizon, "rules": rules})
    return {
        **setting(),
        "rows": rows,
        "refused": refused,
        "without": list(without),
        "summary": [summed(rows, name) for name in dict.fromkeys(row["part"] for row in rows)],
    }


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
                "cost": statistics.mean(one["cost"] for one in every),
            }
    return {"part": part, "problems": len(of_part), "rules": rules, "brackets": [bracket_of(of_part, way) for way in ("whole", "ladder")]}


def bracket_of(rows: Sequence[dict[str, Any]], way: str) -> dict[str, Any]:
    """How good our brackets are over the problems of a part."""
    mine = [row["rules"][OURS][way] for row in rows]
    means = {key: statistics.mean(one[key] for one in mine) for key in ("overlap", "holds_best")}
    return {"name": way, **means, "largest_spread": max(one["spread"] or 0.0 for one in mine)}


def heading(*columns: str) -> tuple[str, str]:
    """The first two lines of a table."""
    return f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"


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
            *heading(
                "rule", "mean regret", "median problem", "worst", "where", "above 0.1", "worst single", "spread", "no answer", "steps"
            ),
        ]
        lines += [
            f"| {name} | {rule['mean']:.3f} | {rule['median']:.3f} | {rule['worst']:.3f} | {rule['where']} | {rule['above_a_tenth']} "
            f"| {rule['worst_repeat']:.3f} | {rule['spread']:.2f} | {rule['silent']:.0%} | {rule['cost']:,.0f} |"
            for name, rule in part["rules"].items()
        ]
        lines += ["", *(BRACKET.format(**bracket) for bracket in part["brackets"])]
    measures = "best lr", "suggested, median", "regret", "worst of the repeats", "of the ladder", "spread", "overlap", "steps"
    lines += ["", "## Ours, problem by problem", "", *heading("problem", "part", "noise", *measures, "statuses", "horizons")]
    for row in result["rows"]:
        one, alone = row["rules"][OURS]["whole"], row["rules"][OURS]["ladder"]
        statuses, horizons = (", ".join(f"{key} {count}" for key, count in one[kind].items()) for kind in ("statuses", "horizons"))
        suggested = "none" if one["lr"] is None else f"{one['lr']:.2g}"
        spread = "" if one["spread"] is None else f"{one['spread']:.2f}"
        noise = f"{row['noise']:.1%}"
        lines.append(
            f"| {row['problem']} | {row['part']} | {noise} | {one['best_lr']:.2g} | {suggested} | {one['regret']:.3f} | {one['worst']:.3f} "
            f"| {alone['regret']:.3f} | {spread} | {one['overlap']:.0%} | {one['cost']:,.0f} | {statuses} | {horizons} |"
        )
    if result["refused"]:
        lines += [
            "",
            "## Not admitted: too noisy for a regret",
            "",
            *heading("problem", *(f"noise, {steps} steps" for steps in (STEPS, LONGER))),
        ]
        lines += [f"| {row['problem']} | {' | '.join(f'{noise:.1%}' for noise in row['noise'].values())} |" for row in result["refused"]]
    if result["without"]:
        lines += ["", f"Left out, since they were not recorded: {', '.join(result['without'])}."]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Record what is missing, read all curves by every rule, and write the result; or compare the peers' rules with their libraries."""
    parser = argparse.ArgumentParser(prog="lr_range", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--part", choices=("tuned", "held-out", "all"), default="all", help="of the problems (default all)")
    parser.add_argument("--scratch", type=Path, default=FOLDER, help=f"keeps the curves (default {FOLDER})")
    parser.add_argument(
        "--without", nargs="+", default=(), metavar="PROBLEM", help="leave these out, such as some whose recording takes long"
    )
    parser.add_argument("--print-only", action="store_true", help="write nothing to benchmarks/results")
    parser.add_argument("--compare-libraries", action="store_true", help="whether the peers' rules say what their libraries say")
    options = parser.parse_args(arguments)
    if options.compare_libraries:
        from benchmarks.ranges.installed import compared

        ladders = [Recorded(problem, options.scratch).curves().ladder[0] for problem in problems()]
        print(*compared(ladders), sep="\n")
        return
    result = measured(options.part, options.scratch, options.without)
    if not options.print_only:
        write("lr_range" if options.part == "all" else f"lr_range-{options.part}", result, page(result))
    print(page(result))
