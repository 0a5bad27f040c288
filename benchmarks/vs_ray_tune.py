"""The same trials on digits by stock Ray Tune, by Ray Tune at its strongest and by sweeper, from process start to process end.

All arms train the very same configs (drawn here, once) with the same model, data, epochs, batches, optimizer, schedule, clipping and
halving (rungs at epochs 2, 6 and 18, a third goes on), on one machine, each in a fresh directory with an MLflow SQLite store of its
own, in alternating order. Trials are judged as they arrive, so decisions, and the epochs trained, depend on timing in every arm.

- ``stock``: Ray Tune as its documentation writes it (``stock_ray_tune``);
- ``reuse``: the strongest arrangement that a user of Ray Tune could write (``reuse_ray_tune``);
- ``sweeper``: ``sweeper sweep SPACE`` as it is, which begins in one process and calls helpers or Ray when they are worth their start;
- ``sweeper-ray``: the same with ``--runner ray``: Ray from the beginning;
- ``sweeper-local``: with ``--runner local``: never.

Told apart: *start-up*, from process start to the first training step; *winner*, until the winner is printed; *end*, until the process has
ended, by when everything is in MLflow; processor time of every process that an arm started. Sweeper does more than the others within these
times: it fits a baseline, tests and exports the winner, stores each config and each best epoch, and draws the figures.

Usage: python -m benchmarks vs_ray_tune [--space digits_mlp] [--trials 64,256,1000] [--arms stock,reuse,sweeper,...] [--repeats 3]
       [--limit ARM:TRIALS=REPEATS]... [--results FOLDER]
Writes benchmarks/results/DATE-vs_ray_tune-SPACE.json and .md after every run, so that what was measured stays when it is interrupted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.results import FOLDER, setting, write

HERE = Path(__file__).resolve().parent
LIMITS = ("stock:256=1", "stock:1000=0")
"""Stock takes some twelve minutes for 256 trials, and the better part of an hour for 1,000."""


@dataclass(frozen=True)
class Run:
    """One run of one arm; times in seconds from process start.

    Attributes:
        startup: to the first training step of any trial.
        winner: until the winner was printed.
        end: to the process's end.
        cpu: user and system time of all its processes.
        linger: process end to the end of the last process it started.
        recorded: child runs in MLflow.
        running: those that MLflow still believes to run.
        epochs: validation losses in MLflow, that is, epochs trained.
        best: the lowest of them.
    """

    arm: str
    trials: int
    startup: float
    winner: float
    end: float
    cpu: float
    linger: float
    recorded: int
    running: int
    epochs: int
    best: float


@dataclass(frozen=True)
class Arm:
    """How an arm is started, and what it tells.

    Attributes:
        command: from the space, the number of trials and the run's directory.
        winner: the line of its output that tells the winner.
        first_step: unix time of the first training step, from the run's directory.
    """

    command: Callable[[Path, int, Path], list[str]]
    winner: re.Pattern[str]
    first_step: Callable[[Path], float]


def first_step(home: Path) -> float:
    """When the first epoch of a sweep began, by its ledger: the first report tells its time and how long its epoch took."""
    with closing(sqlite3.connect(home / "runs" / "ledger.db")) as ledger:
        at, metrics = ledger.execute("select at, metrics from report order by at limit 1").fetchone()
    return float(at) - float(json.loads(metrics)["seconds"])


def configs(space: Path, trials: int) -> list[dict[str, Any]]:
    """What sweeper's random search draws from the space, in the names of the other arms."""
    from sweeper.config.space import Space
    from sweeper.search.study import Study

    study = Study(Space.load(space), trials)
    drawn: list[dict[str, Any]] = []
    while asked := study.ask():
        for trial in asked:
            model, optimizer = trial.config["model"], trial.config["optimizer"]
            drawn.append(
                {**{key: model[key] for key in ("width", "depth", "dropout")}, **{key: optimizer[key] for key in ("lr", "weight_decay")}}
            )
    return drawn


def _script(module: str) -> Arm:
    def command(space: Path, trials: int, directory: Path) -> list[str]:
        (directory / "trials.json").write_text(json.dumps(configs(space, trials)))
        return [sys.executable, "-m", f"benchmarks.{module}", str(directory / "trials.json"), str(directory)]

    return Arm(command, re.compile(r"^winner: "), lambda directory: (directory / "started").stat().st_mtime)


def _sweeper(runner: str) -> Arm:
    def command(space: Path, trials: int, directory: Path) -> list[str]:  # noqa: ARG001 - SWEEPER_HOME is the directory
        return [sys.executable, "-m", "sweeper", "sweep", str(space), "--trials", str(trials), "--runner", runner]

    return Arm(command, re.compile(r"^\d+ of \d+ trials, "), first_step)


ARMS = {
    "stock": _script("stock_ray_tune"),
    "reuse": _script("reuse_ray_tune"),
    "sweeper": _sweeper("auto"),
    "sweeper-ray": _sweeper("ray"),
    "sweeper-local": _sweeper("local"),
}


def run(arm: str, space: Path, trials: int) -> Run:
    """One run in a fresh directory.

    Raises:
        CommandError: the arm failed, told no winner, or MLflow does not have every trial.
    """
    directory = Path(tempfile.mkdtemp(prefix=f"vs-ray-tune-{arm}-"))
    try:
        done = processes.run(ARMS[arm].command(space, trials, directory), cwd=HERE.parent, home=directory)
        told = [seconds for seconds, line in done.lines if ARMS[arm].winner.match(line)]
        if not told:
            raise processes.CommandError(f"{arm} told no winner:\n{done.stdout[-1000:]}")
        started = ARMS[arm].first_step(directory) - done.started
        made = Run(arm, trials, started, told[0], done.seconds, done.cpu_seconds, done.linger_seconds, *_recorded(directory / "mlflow.db"))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if made.recorded != trials or made.running:
        raise processes.CommandError(f"{arm}: MLflow has {made.recorded} of {trials} trials, {made.running} of them running")
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


OURS = tuple(arm for arm in ARMS if arm.startswith("sweeper"))
MEASURED = ("startup", "winner", "end", "cpu", "epochs", "best")


def summary(case: str, runs: Sequence[Run], failures: Sequence[str]) -> dict[str, Any]:
    """All runs, and by number of trials and arm the medians and how many times longer than sweeper's it took to its end."""
    sizes: dict[str, Any] = {}
    for trials in sorted({made.trials for made in runs}):
        by_arm = {arm: [made for made in runs if (made.arm, made.trials) == (arm, trials)] for arm in ARMS}
        medians = {
            arm: {"runs": len(made_by), **{key: statistics.median(getattr(made, key) for made in made_by) for key in MEASURED}}
            for arm, made_by in by_arm.items()
            if made_by
        }
        for median in medians.values():
            for ours in OURS:
                median[f"times_{ours}"] = median["end"] / medians[ours]["end"] if ours in medians else None
        sizes[str(trials)] = medians
    return {**setting(), "space": case, "sizes": sizes, "failures": list(failures), "runs": [asdict(made) for made in runs]}


ROWS = (
    ("runs", "runs", "d"),
    ("start-up, s", "startup", ".1f"),
    ("winner known, s", "winner", ".1f"),
    ("all in MLflow, process ended, s", "end", ".1f"),
    ("processor time of all processes, s", "cpu", ".1f"),
    ("epochs trained", "epochs", ".0f"),
    ("best val_loss", "best", ".4f"),
    *((f"end, times {arm}'s", f"times_{arm}", ".1f") for arm in OURS),
)


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        f"# Ray Tune and sweeper on `{result['space']}`, {result['date']}",
        "",
        f"{result['told']}; medians of alternating runs, in seconds from process start.",
        f"`python -m benchmarks vs_ray_tune --space {result['space']}`",
        "",
        "*stock*: Ray Tune as documented. *reuse*: the strongest arrangement of it that we could write. *sweeper*: `sweeper sweep`:",
        "it begins in one process and calls helpers or Ray when they are worth their start. *sweeper-ray*: on Ray from the beginning.",
        "*sweeper-local*: in one process.",
        "Configs, epochs and halving (grace 2, reduction 3, at most 20 epochs) are the same. Decisions are asynchronous and depend on",
        "timing, so the epochs trained differ. Sweeper's times hold a baseline, the winner's test and export, checkpoints and figures; the",
        "others' do not.",
    ]
    for trials, medians in result["sizes"].items():
        arms = list(medians)
        lines += ["", f"## {trials} trials", "", f"| | {' | '.join(arms)} |", "|---|" + "---|" * len(arms)]
        for title, key, style in ROWS:
            cells = ["" if medians[arm][key] is None else format(medians[arm][key], style) for arm in arms]
            lines.append(f"| {title} | {' | '.join(cells)} |")
        told = [f"{made['arm']} {made['end']:.1f} s" for made in result["runs"] if str(made["trials"]) == trials]
        lines += ["", f"All runs, in order: {', '.join(told)}."]
    lines += [f"\nFailed: {failure}" for failure in result["failures"]]
    return "\n".join(lines) + "\n"


def plan(trials: Sequence[int], arms: Sequence[str], repeats: int, limits: Sequence[str]) -> list[tuple[str, int]]:
    """Arm and trials of every run, in alternating order."""
    limit = dict(text.split("=") for text in (*LIMITS, *limits))
    return [
        (arm, size)
        for size in trials
        for repeat in range(repeats)
        for arm in arms[:: 1 if repeat % 2 == 0 else -1]
        if repeat < int(limit.get(f"{arm}:{size}", repeats))
    ]


def main(arguments: list[str]) -> None:
    """Run the arms in alternating order and write the result."""
    parser = argparse.ArgumentParser(prog="vs_ray_tune", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--space", choices=("digits_mlp", "digits_shapes"), default="digits_mlp", help="default digits_mlp")
    parser.add_argument("--trials", default="64,256,1000", help="sizes, default 64,256,1000")
    parser.add_argument("--arms", default=",".join(ARMS), help=f"default {','.join(ARMS)}")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each arm and size (default 3)")
    parser.add_argument("--limit", action="append", default=[], metavar="ARM:TRIALS=REPEATS", help=f"fewer; default {' '.join(LIMITS)}")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the result is written")
    options = parser.parse_args(arguments)
    arms = options.arms.split(",")
    if unknown := set(arms) - set(ARMS):
        parser.error(f"no such arm: {', '.join(sorted(unknown))}")
    space = HERE / "spaces" / f"{options.space}.yaml"
    runs: list[Run] = []
    failures: list[str] = []
    planned = plan([int(size) for size in options.trials.split(",")], arms, options.repeats, options.limit)
    for done, (arm, trials) in enumerate(planned, start=1):
        print(f"{time.strftime('%H:%M:%S')} {done}/{len(planned)} {arm:13} {trials:5} trials ", end="", flush=True)
        try:
            made = run(arm, space, trials)
        except Exception as error:  # noqa: BLE001 - a failed arm is part of the result, and the others go on
            failures.append(f"{arm}, {trials} trials: {error}")
            print(f"failed: {error}", flush=True)
        else:
            runs.append(made)
            times = f"start-up {made.startup:.1f}  winner {made.winner:.1f}  end {made.end:.1f}  CPU {made.cpu:.1f} s"
            print(f"{times}  {made.epochs} epochs", flush=True)
        result = summary(options.space, runs, failures)
        write(f"vs_ray_tune-{options.space}", result, page(result), options.results)
    print(page(result))
    if failures:
        sys.exit(1)
