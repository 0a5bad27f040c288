"""The same 32 trials on digits, by stock Ray Tune and by sweeper, from process start to process end.

Both arms train the very same configs (drawn here, once) with the same model, data, epochs, batches, optimizer, schedule, clipping
and halving rungs, on one machine, each in a fresh directory with an MLflow SQLite store of its own, in alternating order. A time
ends when the arm's process has ended, by when everything is in MLflow. Processor time includes every process an arm started.

Usage: python -m benchmarks vs_ray_tune [--repeats 3] [--trials 32]
Writes benchmarks/results/DATE-vs_ray_tune.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.results import setting, write

HERE = Path(__file__).resolve().parent
SPACE = HERE / "spaces" / "digits_mlp.yaml"


@dataclass(frozen=True)
class Run:
    """One run of one arm.

    Attributes:
        seconds: process start to process end.
        winner_seconds: the arm's own word for start to winner, where it has one.
        cpu_seconds: user and system time of all its processes.
        linger_seconds: process end to the end of the last process it started.
        trials: child runs in MLflow.
        running: those that MLflow still believes to run.
        epochs: validation losses in MLflow, that is, epochs trained.
        best: the lowest of them.
    """

    arm: str
    seconds: float
    winner_seconds: float | None
    cpu_seconds: float
    linger_seconds: float
    trials: int
    running: int
    epochs: int
    best: float


def configs(trials: int) -> list[dict[str, Any]]:
    """What sweeper's random search draws from the space, in the names of the stock arm."""
    from sweeper.config.space import Space
    from sweeper.search.study import Study

    study = Study(Space.load(SPACE), trials)
    drawn = []
    while asked := study.ask():
        drawn += [{name.rpartition(".")[2]: value for name, value in trial.values.items()} for trial in asked]
    return drawn


def stock(directory: Path, trials: int) -> list[str]:
    """The command of the stock arm."""
    (directory / "trials.json").write_text(json.dumps(configs(trials)))
    return [sys.executable, "-m", "benchmarks.stock_ray_tune", str(directory / "trials.json"), str(directory)]


def ours(directory: Path, trials: int) -> list[str]:  # noqa: ARG001 - the signature of an arm
    """The command of sweeper's arm; ``SWEEPER_HOME`` is the directory."""
    return [sys.executable, "-m", "sweeper", "sweep", str(SPACE), "--trials", str(trials), "--runner", "ray", "--json"]


ARMS: dict[str, Callable[[Path, int], list[str]]] = {"stock": stock, "sweeper": ours}


def run(arm: str, trials: int) -> Run:
    """One run in a fresh directory.

    Raises:
        RuntimeError: the arm failed, or MLflow does not have every trial.
    """
    with tempfile.TemporaryDirectory(prefix=f"vs-ray-tune-{arm}-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        command = ARMS[arm](directory, trials)
        outer = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "SWEEPER_"))}
        done = processes.run(command, cwd=HERE.parent, environment=outer | {"SWEEPER_HOME": name}, log=directory / "log")
        if done.code != 0:
            raise RuntimeError(f"{arm} ended with {done.code}:\n{done.stdout[-1000:]}\n{(directory / 'log').read_text()[-3000:]}")
        winner = json.loads(done.stdout)["seconds"] if arm == "sweeper" else None
        made = Run(arm, done.seconds, winner, done.cpu_seconds, done.linger_seconds, *_recorded(directory / "mlflow.db"))
    if made.trials != trials or made.running:
        raise RuntimeError(f"{arm}: MLflow has {made.trials} of {trials} trials, {made.running} of them running")
    return made


def _recorded(store: Path) -> tuple[int, int, int, float]:
    """Trials, running trials, epochs and the lowest validation loss in an MLflow SQLite store."""
    with closing(sqlite3.connect(store)) as database:
        curves = "select run_uuid from metrics where key = 'val_loss'"
        trials, running = database.execute(
            f"select count(*), coalesce(sum(status = 'RUNNING'), 0) from runs where run_uuid in ({curves})"  # noqa: S608 - a constant
        ).fetchone()
        epochs, best = database.execute("select count(*), min(value) from metrics where key = 'val_loss'").fetchone()
    return trials, running, epochs, best


def summary(runs: list[Run], trials: int) -> dict[str, Any]:
    """All runs, the medians and their ratio."""
    by_arm = {arm: [made for made in runs if made.arm == arm] for arm in ARMS}
    medians = {
        arm: {key: statistics.median(getattr(made, key) for made in made_by) for key in ("seconds", "cpu_seconds", "epochs", "best")}
        for arm, made_by in by_arm.items()
    }
    winner = statistics.median(made.winner_seconds for made in by_arm["sweeper"] if made.winner_seconds is not None)
    return {
        **setting(),
        "trials": trials,
        "median": medians,
        "winner_seconds": winner,
        "times_faster": medians["stock"]["seconds"] / medians["sweeper"]["seconds"],
        "runs": [asdict(made) for made in runs],
    }


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    stock_arm, our_arm = result["median"]["stock"], result["median"]["sweeper"]
    rows = [
        ("process start to end, s", "seconds", ".1f"),
        ("processor time of all processes, s", "cpu_seconds", ".1f"),
        ("epochs trained", "epochs", ".0f"),
        ("best val_loss", "best", ".4f"),
    ]
    lines = [
        f"# {result['trials']} trials, stock Ray Tune and sweeper, {result['date']}",
        "",
        f"{result['told']}; medians of {len(result['runs']) // 2} alternating runs. `python -m benchmarks vs_ray_tune`",
        "",
        "| | stock | sweeper |",
        "|---|---|---|",
        *(f"| {title} | {stock_arm[key]:{style}} | {our_arm[key]:{style}} |" for title, key, style in rows),
        "",
        f"sweeper is {result['times_faster']:.1f} times faster end to end; its winner was known after {result['winner_seconds']:.1f} s.",
        "",
        "All runs, in order: " + ", ".join(f"{made['arm']} {made['seconds']:.1f} s" for made in result["runs"]) + ".",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Run the arms in alternating order and write the result."""
    parser = argparse.ArgumentParser(prog="vs_ray_tune", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each arm (default 3)")
    parser.add_argument("--trials", type=int, default=32, help="trials of each run (default 32)")
    parser.add_argument("--arm", choices=list(ARMS), help="run this arm once and write nothing")
    options = parser.parse_args(arguments)
    if options.arm:
        print(json.dumps(asdict(run(options.arm, options.trials)), indent=2))
        return
    runs = []
    for repeat in range(options.repeats):
        for arm in list(ARMS)[:: 1 if repeat % 2 == 0 else -1]:
            runs.append(run(arm, options.trials))
            print(f"{arm:8} {runs[-1].seconds:6.1f} s  {runs[-1].cpu_seconds:6.1f} CPU s  {runs[-1].epochs} epochs", flush=True)
    result = summary(runs, options.trials)
    write("vs_ray_tune", result, page(result))
    print(page(result))
