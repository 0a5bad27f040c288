"""What the monitor costs: epochs with it and without, by network, engine and number of lanes.

Both arms train the same trials in one process, in turns that are as long as from one look to the next and change places every time;
a figure is the median of the turns' ratios of processor time, with the 95% interval of that median (order statistics). Every net is
measured one by one, and if it has batched layers with eight lanes.

Usage: python -m benchmarks monitoring [--seconds 8] [--net TEXT]
Writes benchmarks/results/DATE-monitoring.json and .md.
"""

from __future__ import annotations

import argparse
import math
import time
from statistics import median
from typing import Any, Literal

import torch

from benchmarks.lanes import NETS, Net, data_of, trial_of
from benchmarks.results import setting, write
from sweeper.core import monitor
from sweeper.core.batches import Plan
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.lane import Stack
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial

LARGEST = 1.05
"""What the ratio is to stay below."""

WAYS: tuple[tuple[Literal["plain", "stacked"], int], ...] = (("plain", 1), ("stacked", 8))
"""Engines and lanes."""


def switched(trial: Trial, on: bool) -> Trial:
    """The trial with or without its monitor."""
    config = {**trial.config, "training": {**trial.config["training"], "monitor": on}}
    return Trial(trial.number, trial.seed, trial.values, config, trial.shape)


def seconds_of(stack: Stack, epochs: int) -> float:
    started = time.process_time()
    for _ in range(epochs):
        stack.run_epoch()
    return time.process_time() - started


def interval(values: list[float]) -> tuple[float, float]:
    """Of the median, to 95%: the binomial's order statistics."""
    ordered, middle, spread = sorted(values), len(values) / 2, 0.98 * math.sqrt(len(values))
    return ordered[max(0, math.floor(middle - spread))], ordered[min(len(values) - 1, math.ceil(middle + spread))]


def measure(net: Net, engine: Literal["plain", "stacked"], lanes: int, seconds: float) -> dict[str, Any]:
    """The ratio for one net in one engine, from turns that take so many seconds together, and at least 20."""
    data = data_of(net, torch.device("cpu"))
    trials = [trial_of(net, number, engine) for number in range(lanes)]
    kind = FusedStack if engine == "stacked" else PlainStack
    on, off = (kind([switched(trial, way) for trial in trials], data) for way in (True, False))
    steps = Plan.of(on.lane(0).config, len(data.train)).steps
    every = 1 if monitor.due(2, steps) else next(epoch for epoch in range(2, 10_000) if monitor.due(epoch, steps))
    for stack in (on, off):
        seconds_of(stack, 2 * every)  # the warm-up; from here on each turn holds one look
    ratios: list[float] = []
    spent = 0.0
    while spent < seconds or len(ratios) < 20:
        order = (on, off) if len(ratios) % 2 else (off, on)
        times = {id(stack): seconds_of(stack, every) for stack in order}
        spent += sum(times.values())
        ratios.append(times[id(on)] / times[id(off)])
    return {
        "net": net.name,
        "engine": engine,
        "lanes": lanes,
        "every": every,
        "turns": len(ratios),
        "ratio": median(ratios),
        "interval": interval(ratios),
    }


def page(result: dict[str, Any]) -> str:
    """The table for people."""
    lines = [
        f"# The monitor's cost: processor time of training with it against without, {result['date']}",
        "",
        f"{result['told']}; one thread; median of the turns' ratios (95% interval). `python -m benchmarks monitoring`",
        "",
        "| net / batch | engine | lanes | looks every n-th epoch | turns | with / without |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        low, high = row["interval"]
        told = f"{row['ratio']:.3f} ({low:.3f} to {high:.3f})"
        lines.append(f"| {row['net']} | {row['engine']} | {row['lanes']} | {row['every']} | {row['turns']} | {told} |")
    dear = [f"{row['net']} {row['engine']}" for row in result["rows"] if row["ratio"] > LARGEST]
    lines += ["", f"Above {LARGEST}: {', '.join(dear) or 'none'}."]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure every net and write the table."""
    parser = argparse.ArgumentParser(prog="monitoring", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=8.0, help="of processor time for each row (default 8)")
    parser.add_argument("--net", help="only nets whose name has this in it; nothing is written")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for net in NETS:
        if options.net and options.net not in net.name:
            continue
        for engine, lanes in WAYS if net.model["family"] == "mlp" else WAYS[:1]:
            rows.append(measure(net, engine, lanes, options.seconds))
            print(rows[-1], flush=True)
    result = {**setting(), "seconds": options.seconds, "rows": rows}
    print(page(result))
    if not options.net:
        write("monitoring", result, page(result))
