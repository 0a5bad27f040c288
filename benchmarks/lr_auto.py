"""Trials until a search is as good as any: learning rates from range tests, from well-chosen ranges, and from eight decades.

The network of digits with 64-32-32-10 units, dropout, weight decay and AdamW or SGD as in the shipped space ``mlp``; only the ranges of
the learning rates differ between the arms: ``auto``; *chosen*, by hindsight for this very network, around the best learning rates of
searches over 1e-7 to 10 on splits 100 to 103 (0.014 to 0.06 with AdamW, 0.13 to 0.56 with SGD), whose middle is the first trial; the
shipped file's; and 1e-7 to 10. Each search has its own split and seeds, the same
for all arms; every trial is trained to its end, so that nothing but the sampling is compared. A search has arrived with the first trial, by
number, whose ``val_loss`` is within two percent of the best one of all arms on that split: of that loss itself, which is a matter of luck,
too; and of the drop from ln(10), chance, to it. One that never arrives counts as infinitely long. Range tests are beside it, in steps of a
whole trial.

What is there of the same day and size stays, so that it can be run piece by piece: ``--seeds 2``, then ``--seeds 10``.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results

NAME = "lr_auto"
SPACE = """
name: lr-auto
data: {{source: digits, seed: {seed}}}
model: {{family: mlp, width: 32, depth: 2, dropout: {{uniform: [0.0, 0.5], default: 0.1}}}}
optimizer:
  choice:
    - {{name: adamw, lr: {adamw}, weight_decay: {{log: [1e-4, 1e-1]}}}}
    - {{name: sgd, lr: {sgd}, momentum: {{uniform: [0.8, 0.99], default: 0.9}}, weight_decay: {{log: [1e-5, 1e-2]}}}}
training: {{epochs: {epochs}, patience: null, monitor: false}}
search: {{sampler: {sampler}, trials: {trials}, pruner: none, seed: {seed}}}
"""

ARMS = {
    "auto": ("auto", "auto"),
    "chosen": ("{log: [5e-3, 1e-1]}", "{log: [5e-2, 1.0]}"),
    "shipped": ("{log: [1e-4, 1e-2]}", "{log: [1e-3, 1.0]}"),
    "decades": ("{log: [1e-7, 10.0]}", "{log: [1e-7, 10.0]}"),
}
SAMPLERS = ("random", "tpe")
SEEDS = range(300, 310)
"""Of splits and searches: no other benchmark and no choice of a default has seen them."""
WITHIN = 0.02
CHANCE = math.log(10)
GOALS = {"loss": "within 2% of the best loss", "drop": "within 2% of the drop from chance to it"}


def main(arguments: list[str]) -> None:
    options = argparse.ArgumentParser(prog="lr_auto")
    options.add_argument("--trials", type=int, default=64)
    options.add_argument("--epochs", type=int, default=15)
    options.add_argument("--seeds", type=int, default=len(SEEDS), help="so many of the splits")
    chosen = options.parse_args(arguments)
    size = {"trials": chosen.trials, "epochs": chosen.epochs}
    runs = _there(size)
    done = {(run["seed"], run["sampler"], run["arm"]) for run in runs}
    for seed in SEEDS[: chosen.seeds]:
        for sampler in SAMPLERS:
            for arm in (arm for arm in ARMS if (seed, sampler, arm) not in done):
                runs.append(_searched(arm, sampler, seed, chosen.epochs, chosen.trials))
                print(f"{seed} {sampler} {arm}: best {min(runs[-1]['losses']):.4f}, {runs[-1]['seconds']:.1f} s", flush=True)
    for run in runs:
        best = min(min(other["losses"]) for other in runs if other["seed"] == run["seed"])
        goals = {"loss": best * (1 + WITHIN), "drop": best + WITHIN * (CHANCE - best)}
        run["arrived"] = {goal: _first(run["losses"], value) for goal, value in goals.items()}
    result = {**results.setting(), **size, "table": _table(runs), "runs": runs}
    page = _page(result)
    results.write(NAME, result, page)
    print(page)


def _there(size: dict[str, int]) -> list[dict[str, Any]]:
    """The runs that were made today."""
    file = results.FOLDER / f"{results.setting()['date']}-{NAME}.json"
    result = json.loads(file.read_text()) if file.is_file() else {}
    return [dict(run) for run in result.get("runs", [])] if {key: result.get(key) for key in size} == size else []


def _searched(arm: str, sampler: str, seed: int, epochs: int, trials: int) -> dict[str, Any]:
    """One search, in this process, at a desk of its own."""
    from sweeper.app.desk import open_desk
    from sweeper.app.training import make_train
    from sweeper.config.space import Space
    from sweeper.data.prepare import prepare
    from sweeper.ledger.owner import Owner
    from sweeper.ledger.records import NewSweep
    from sweeper.ledger.store import Ledger
    from sweeper.runners.local import run

    adamw, sgd = ARMS[arm]
    space = Space.parse(SPACE.format(adamw=adamw, sgd=sgd, seed=seed, sampler=sampler, epochs=epochs, trials=trials), arm)
    data = prepare(space.base.data, space.base.task)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        ledger = Ledger.open(url)
        ledger.create_sweep(NewSweep(arm, space.text, space.fingerprint(), space.base.search.metric, trials))
        desk = open_desk(url, arm, ledger.claim(arm, Owner.here()).epoch)
        started = time.perf_counter()
        run(desk, make_train(Path(folder) / "checkpoints", "cpu", data))
        seconds = time.perf_counter() - started
        tests = ledger.range_tests(arm)
        losses = [math.inf if one.best_value is None else one.best_value for one in ledger.trials(arm)]
        ledger.close()
    steps = -(-len(data.train) // space.base.training.batch_size) * epochs
    return {
        "arm": arm,
        "sampler": sampler,
        "seed": seed,
        "losses": losses,
        "seconds": seconds,
        "tests": len(tests),
        "tests_in_trials": sum(test.finding.cost_steps for test in tests) / steps,
        "tests_seconds": sum(test.finding.seconds for test in tests),
        "brackets": [test.finding.bracket for test in tests],
    }


def _first(losses: list[float], value: float) -> float:
    """How many trials it takes to get there."""
    return next((number for number, loss in enumerate(losses, start=1) if loss <= value), math.inf)


def _table(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for sampler in SAMPLERS:
        for arm in ARMS:
            own = [run for run in runs if (run["arm"], run["sampler"]) == (arm, sampler)]
            row: dict[str, Any] = {
                "sampler": sampler,
                "arm": arm,
                "tests_in_trials": statistics.median(run["tests_in_trials"] for run in own),
            }
            row |= {"tests_of_time": sum(run["tests_seconds"] for run in own) / sum(run["seconds"] for run in own)}
            for goal in GOALS:
                arrived = [run["arrived"][goal] for run in own]
                row[goal] = {"median": statistics.median(arrived), "arrived": sum(map(math.isfinite, arrived)), "of": len(arrived)}
            rows.append(row)
    return rows


def _page(result: dict[str, Any]) -> str:
    rows = {(row["sampler"], row["arm"]): row for row in result["table"]}
    lines = [f"# lr_auto, {result['date']}", "", result["told"], ""]
    lines += [f"{result['trials']} trials of {result['epochs']} epochs each; medians over searches, and how many arrived.", ""]
    head = ["sampler", "learning rates", *GOALS.values(), "range tests, in trials", "share of the time"]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for (sampler, arm), row in rows.items():
        goals = [f"{_told(row[goal]['median'])} ({row[goal]['arrived']} of {row[goal]['of']})" for goal in GOALS]
        cost = f"{row['tests_in_trials']:.1f}" if row["tests_in_trials"] else "-"
        lines.append(f"| {sampler} | {arm} | {' | '.join(goals)} | {cost} | {row['tests_of_time']:.1%} |")
    lines += ["", "How many times as many trials the others take, by the medians; with the range tests counted as trials in brackets:", ""]
    for sampler in SAMPLERS:
        for other in list(ARMS)[1:]:
            told = []
            for goal, words in GOALS.items():
                ours, theirs = (rows[sampler, arm][goal]["median"] for arm in ("auto", other))
                with_tests = theirs / (ours + rows[sampler, "auto"]["tests_in_trials"])
                told.append(f"{words}: {_told(theirs / ours)} ({_told(with_tests)})")
            lines.append(f"- {sampler}, {other}: {'; '.join(told)}")
    return "\n".join([*lines, ""])


def _told(number: float) -> str:
    return "never" if math.isinf(number) else "-" if math.isnan(number) else f"{number:.3g}"
