"""What the monitor costs: epochs with it and without, by network and number of lanes.

Both arms train the same trials in one process, in turns, for as many epochs as lie between two looks; a figure is the median of the ratios
of the turns. ``every`` says how many epochs lie between two looks: short epochs are not looked into each time.

Usage: python -m benchmarks monitoring [--repeats 15]
Writes benchmarks/results/DATE-monitoring.json and .md.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import torch

from benchmarks.lanes import NETS, Net, data_of, trial_of
from benchmarks.results import setting, write
from sweeper.core import monitor
from sweeper.core.batches import Plan
from sweeper.core.stack.choose import for_shape
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.lane import Stack
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial

LARGEST = 1.05
"""What the ratio is to stay below."""


def switched(trial: Trial, on: bool) -> Trial:
    """The trial with or without its monitor."""
    config = {**trial.config, "training": {**trial.config["training"], "monitor": on}}
    return Trial(trial.number, trial.seed, trial.values, config, trial.shape)


def seconds_of(stack: Stack, epochs: int) -> float:
    started = time.process_time()
    for _ in range(epochs):
        stack.run_epoch()
    return time.process_time() - started


def measure(net: Net, repeats: int) -> dict[str, Any]:
    """The ratio for the way in which the product trains this net."""
    data = data_of(net, torch.device("cpu"))
    choice = for_shape(trial_of(net, 0), data)
    trials = [trial_of(net, number, choice.engine) for number in range(choice.lanes)]
    engine = FusedStack if choice.engine == "stacked" else PlainStack
    on, off = (engine([switched(trial, way) for trial in trials], data) for way in (True, False))
    plan = Plan.of(on.lane(0).config, len(data.train))
    every = next(epoch for epoch in range(2, 10_000) if monitor.due(epoch, plan.steps)) if not monitor.due(2, plan.steps) else 1
    epochs = max(every, 6 // every * every)
    for stack in (on, off):
        seconds_of(stack, every)  # the warm-up; from here on each turn holds as many looks as are due
    ratios = []
    for repeat in range(repeats):
        order = (on, off) if repeat % 2 else (off, on)
        times = {id(stack): seconds_of(stack, epochs) for stack in order}
        ratios.append(times[id(on)] / times[id(off)])
    return {"net": net.name, "engine": choice.engine, "lanes": choice.lanes, "every": every, "ratio": median(ratios)}


def page(result: dict[str, Any]) -> str:
    """The table for people."""
    lines = [
        f"# The monitor's cost: time of training with it against without, {result['date']}",
        "",
        f"{result['told']}; one thread; median of {result['repeats']} turns. `python -m benchmarks monitoring`",
        "",
        "| net / batch | engine | lanes | looks every n-th epoch | with / without |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {row['net']} | {row['engine']} | {row['lanes']} | {row['every']} | {row['ratio']:.3f} |" for row in result["rows"]]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure every net and write the table."""
    parser = argparse.ArgumentParser(prog="monitoring", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=15, help="turns of each arm (default 15)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for net in NETS:
        rows.append(measure(net, options.repeats))
        print(rows[-1], flush=True)
    result = {**setting(), "repeats": options.repeats, "rows": rows}
    print(page(result))
    write("monitoring", result, page(result))
    dear = [row["net"] for row in rows if row["ratio"] > LARGEST]
    print(f"above {LARGEST}: {', '.join(dear) or 'none'}")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
