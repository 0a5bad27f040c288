"""How much of its workers' time a sweep trains, and what MLflow costs it.

A sweep of the digits MLP by the public command on Ray workers, in alternating order without MLflow (its writer is never started) and with
it. *Efficiency* is the time spent in training and evaluating epochs, which every report tells, over workers x wall time, from the first
training step to the last report; what was trained side by side counts once. Told beside it: the same from the first step of the worker
that began last, since a worker that still imports is in its start-up; and up to the printed winner.

*The writer*: each run that such a sweep left in MLflow is written again into an empty, ready-made store, in alternating order by
sweeper's writer (from the ledger, as ``sweeper sync``) and by a bare client that was handed the finished runs and makes MLflow's own calls:
create_run, log_batch, log_artifact, set_terminated. The cost is the processor time of the process, imports and the store's making excluded.
Drawing the figures of the finished sweep, which the bare client finds drawn, is told apart.

Usage: python -m benchmarks efficiency [--trials 256] [--workers 2] [--engine plain] [--repeats 3] [--results FOLDER]
Writes benchmarks/results/DATE-efficiency-ENGINE.json and .md.
"""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from benchmarks import processes
from benchmarks.results import FOLDER, setting, write

HERE = Path(__file__).resolve().parent
SPACE = HERE / "spaces" / "digits_mlp.yaml"
SWEEP = "digits-mlp"
WINNER = re.compile(r"^\d+ of \d+ trials, ")
TARGET, WRITER_TARGET = 0.90, 1.1
LONGEST_BATCH = 1000
"""Points that MLflow takes in one call."""


class Silent:
    """In place of ``sweeper.tracking.follow.Follower``: no background writer."""

    error = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""

    def begin(self) -> None:
        """See ``Follower.begin``."""

    def drain(self, timeout: float) -> int:  # noqa: ARG002 - there is nothing to wait for
        """Nothing is missing where nothing is wanted."""
        return 0


def untracked(arguments: list[str]) -> None:
    """The command ``sweeper`` without MLflow."""
    from sweeper.cli import main as command
    from sweeper.tracking import follow

    follow.start = lambda _: Silent()  # type: ignore[assignment,return-value]
    sys.argv = ["sweeper", *arguments]
    command()


def sweep(home: Path, *, tracked: bool, trials: int, workers: int, engine: str) -> dict[str, Any]:
    """One sweep in ``home``, and where its workers' time went.

    Raises:
        CommandError: it failed, or told no winner.
    """
    command = [sys.executable, "-m", "sweeper"] if tracked else [sys.executable, "-m", "benchmarks", "efficiency", "--untracked"]
    command += [
        "sweep",
        str(SPACE),
        "--runner",
        "ray",
        "--trials",
        str(trials),
        "--set",
        f"training.engine={engine}",
        "--set",
        f"resources.workers={workers}",
    ]
    untold: list[int] = []

    def on_line(line: str) -> None:
        if WINNER.match(line):
            untold.append(_untold(home))

    done = processes.run(command, cwd=HERE.parent, home=home, on_line=on_line)
    told = [seconds for seconds, line in done.lines if WINNER.match(line)]
    if not told:
        raise processes.CommandError(f"the sweep told no winner:\n{done.stdout[-1000:]}")
    trained = _trained(home)
    first, begun, last = (trained[word] - done.started for word in ("first", "begun", "last"))
    return {
        "mlflow": tracked,
        "startup_s": first,
        "training_s": trained["seconds"],
        "wall_s": last - first,
        "efficiency": trained["seconds"] / (workers * (last - first)),
        "efficiency_since_all": trained["seconds_since"] / (workers * (last - begun)),
        "late_s": begun - first,
        "efficiency_to_winner": trained["seconds"] / (workers * (told[0] - first)),
        "winner_s": told[0],
        "end_s": done.seconds,
        "untold_at_winner": untold[0],
        "cpu_s": done.cpu_seconds,
        "epochs": trained["epochs"],
        "lanes": trained["epochs"] / trained["rounds"],
    }


def _trained(home: Path) -> dict[str, Any]:
    """From the ledger: seconds of training, with each round of a stack once, its epochs, and when the first began and the last ended."""
    query = """
        select attempt.worker, report.at, report.metrics from report join attempt on attempt.id = report.token
        order by attempt.worker, report.at
    """
    with closing(sqlite3.connect(home / "runs" / "ledger.db")) as ledger:
        rows = [(worker, at, float(json.loads(metrics)["seconds"])) for worker, at, metrics in ledger.execute(query)]
    # The lanes of a stack report the same time, to the last bit.
    rounds = {(worker, seconds): at for worker, at, seconds in rows}
    begun = max(min(at - seconds for worker, at, seconds in rows if worker == one) for one in {worker for worker, _, _ in rows})
    return {
        "seconds": sum(seconds for _, seconds in rounds),
        "begun": begun,
        "seconds_since": sum(max(0.0, min(seconds, at - begun)) for (_, seconds), at in rounds.items()),
        "rounds": len(rounds),
        "epochs": len(rows),
        "first": min(at - seconds for _, at, seconds in rows),
        "last": max(at for _, at, _ in rows),
    }


def _untold(home: Path) -> int:
    """Trials that MLflow does not have (completely) yet."""
    with closing(sqlite3.connect(home / "runs" / "ledger.db")) as ledger:
        return int(ledger.execute("select count(*) from tracked where outcome is null").fetchone()[0])


def write_ours(home: Path, store: Path) -> dict[str, float]:
    """Copy the sweep of ``home`` from its ledger into a fresh MLflow store; what that cost this process."""
    from sweeper.app.home import Home
    from sweeper.app.sync import mirror_of
    from sweeper.ledger.store import Ledger
    from sweeper.tracking import mirroring
    from sweeper.tracking.finale import last_files
    from sweeper.tracking.mlflow import Tracker

    Tracker(f"sqlite:///{store}", store.parent / "artifacts")
    there = Home(home, f"sqlite:///{home / 'runs' / 'ledger.db'}", f"sqlite:///{store}")
    mirror = mirror_of(there, Ledger.open(there.ledger_url))
    drawing = 0.0

    def drawn(*arguments: Any) -> dict[str, bytes]:
        nonlocal drawing
        began = time.process_time()
        files = last_files(*arguments)
        drawing += time.process_time() - began
        return files

    cpu, wall = time.process_time(), time.perf_counter()
    with patch.object(mirroring, "last_files", drawn):
        while mirror.sync(SWEEP, seconds=600.0, patience_s=0.0):
            if mirror.error:
                sys.exit(mirror.error)
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "figures_cpu_s": drawing}


def write_bare(home: Path, store: Path) -> dict[str, float]:
    """Write the runs that ``home``'s MLflow store holds into a fresh one, by MLflow's client alone; what that cost this process."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    from sweeper.tracking.mlflow import Tracker

    Tracker(f"sqlite:///{store}", store.parent / "artifacts")
    runs = _runs(home / "mlflow.db")
    client = MlflowClient(f"sqlite:///{store}")
    cpu, wall = time.process_time(), time.perf_counter()
    experiment = client.create_experiment(SWEEP, (store.parent / "artifacts").as_uri())
    for run in runs:
        made = client.create_run(experiment, run["start"], run["tags"], run["name"]).info.run_id
        params = [Param(key, value) for key, value in run["params"]]
        points = [Metric(key, value, at, step) for key, value, at, step in run["points"]]
        for first in range(0, max(len(points), 1), LONGEST_BATCH):
            client.log_batch(made, points[first : first + LONGEST_BATCH], params if first == 0 else [])
        for file in run["files"]:
            client.log_artifact(made, str(file))
        client.set_terminated(made, run["status"], run["end"])
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "figures_cpu_s": 0.0}


def _runs(store: Path) -> list[dict[str, Any]]:
    """All runs of an MLflow store, as plain data."""
    runs = []
    with closing(sqlite3.connect(store)) as database:
        columns = "run_uuid, name, status, start_time, end_time, artifact_uri"
        query = f"select {columns} from runs where lifecycle_stage = 'active' order by start_time"  # noqa: S608 - a constant
        for run, name, status, start, end, artifacts in database.execute(query).fetchall():
            points = "select key, value, timestamp, step from metrics where run_uuid = ? order by timestamp, key"
            runs.append(
                {
                    "name": name,
                    "status": status,
                    "start": start,
                    "end": end,
                    "tags": dict(database.execute("select key, value from tags where run_uuid = ?", (run,)).fetchall()),
                    "params": database.execute("select key, value from params where run_uuid = ?", (run,)).fetchall(),
                    "points": database.execute(points, (run,)).fetchall(),
                    "files": sorted(Path(unquote(urlsplit(artifacts).path)).glob("*")),
                }
            )
    return runs


WRITERS = {"ours": write_ours, "bare": write_bare}


def writers(home: Path, repeats: int) -> list[dict[str, Any]]:
    """Both writers, alternating, each in a process of its own.

    Raises:
        CommandError: one failed.
        RuntimeError: the two did not write the same.
    """
    made = []
    for repeat in range(repeats):
        for writer in list(WRITERS)[:: 1 if repeat % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory(prefix=f"efficiency-{writer}-") as folder:
                store = Path(folder) / "mlflow.db"
                command = [sys.executable, "-m", "benchmarks", "efficiency", f"--write-{writer}", str(home), str(store)]
                cost = json.loads(processes.run(command, cwd=HERE.parent, home=Path(folder)).stdout)
                runs = _runs(store)
            written = {key: sum(len(run[key]) for run in runs) for key in ("params", "points", "files")}
            made.append({"writer": writer, **cost, "runs": len(runs), **written})
            print(f"{time.strftime('%H:%M:%S')} writer {writer}: {cost['cpu_s']:.2f} s CPU for {len(runs)} runs", flush=True)
    if len({(one["runs"], one["params"], one["points"], one["files"]) for one in made}) > 1:
        raise RuntimeError(f"the writers did not write the same: {made}")
    return made


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The medians, and how they stand to the targets."""
    told: dict[str, Any] = {}
    for word, tracked in (("off", False), ("on", True)):
        runs = [run for run in result["sweeps"] if run["mlflow"] is tracked]
        if runs:
            told[word] = {key: statistics.median(run[key] for run in runs) for key in runs[0] if key != "mlflow"}
    by = {writer: [one for one in result["writers"] if one["writer"] == writer] for writer in WRITERS}
    if all(by.values()):
        cost = {writer: statistics.median(one["cpu_s"] for one in made) for writer, made in by.items()}
        plain = statistics.median(one["cpu_s"] - one["figures_cpu_s"] for one in by["ours"])
        told["writer"] = {
            "ours_cpu_s": cost["ours"],
            "ours_without_figures_cpu_s": plain,
            "bare_cpu_s": cost["bare"],
            "times": plain / cost["bare"],
            "times_with_figures": cost["ours"] / cost["bare"],
        }
    return told


ROWS = (
    ("start-up: process start to first training step, s", "startup_s", ".1f"),
    ("training and evaluation, all workers, s", "training_s", ".1f"),
    ("first training step to last report, s", "wall_s", ".1f"),
    ("**efficiency**", "efficiency", ".3f"),
    ("the last worker's first step after the first one's, s", "late_s", ".2f"),
    ("efficiency from the last worker's first step on", "efficiency_since_all", ".3f"),
    ("efficiency up to the winner", "efficiency_to_winner", ".3f"),
    ("winner printed, s", "winner_s", ".1f"),
    ("trials that MLflow lacked then", "untold_at_winner", ".0f"),
    ("process ended, s", "end_s", ".1f"),
    ("processor time of all processes, s", "cpu_s", ".1f"),
    ("epochs trained", "epochs", ".0f"),
    ("lanes, mean", "lanes", ".2f"),
)


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    told = result["median"]
    lines = [
        f"# Efficiency of a sweep and the cost of MLflow, {result['date']}",
        "",
        f"{result['told']}.",
        f"{result['trials']} trials of `digits_mlp` on {result['workers']} Ray workers, `training.engine: {result['engine']}`; medians of",
        f"{result['repeats']} alternating runs. `python -m benchmarks efficiency --engine {result['engine']}`",
        "",
        "| | MLflow off | MLflow on |",
        "|---|---|---|",
    ]
    for title, key, style in ROWS:
        cells = [
            format(told[word][key], style) if word in told and (word, key) != ("off", "untold_at_winner") else "" for word in ("off", "on")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    if "off" in told:
        met = "met" if told["off"]["efficiency"] >= TARGET else "missed"
        lines += ["", f"Efficiency without MLflow is {told['off']['efficiency']:.3f}: the target of {TARGET:.2f} is {met}."]
    if "writer" in told:
        writer = told["writer"]
        ours, bare = (1000 * writer[key] / result["trials"] for key in ("ours_without_figures_cpu_s", "bare_cpu_s"))
        met = "met" if writer["times"] <= WRITER_TARGET else "missed"
        lines += [
            "",
            f"The writer costs {ours:.1f} ms of processor time a trial, a bare client that writes the same runs {bare:.1f} ms:",
            f"{writer['times']:.2f} times; the target of {WRITER_TARGET} is {met}. With the figures of the finished sweep, which it",
            f"draws and the bare client was handed, it is {writer['times_with_figures']:.2f} times.",
        ]
    lines += [f"\nFailed: {failure}" for failure in result["failures"]]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Run the sweeps and the writers, and write the result."""
    if arguments[:1] == ["--untracked"]:
        untracked(arguments[1:])
        return
    if arguments and arguments[0].removeprefix("--write-") in WRITERS:
        home, store = (Path(argument) for argument in arguments[1:])
        print(json.dumps(WRITERS[arguments[0].removeprefix("--write-")](home, store)))
        return
    parser = argparse.ArgumentParser(prog="efficiency", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=256, help="default 256")
    parser.add_argument("--workers", type=int, default=2, help="Ray workers (default 2)")
    parser.add_argument("--engine", choices=("plain", "auto"), default="plain", help="plain: one lane (default); auto: as many as pay")
    parser.add_argument("--repeats", type=int, default=3, help="default 3")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the result is written")
    options = parser.parse_args(arguments)
    asked = {"trials": options.trials, "workers": options.workers, "engine": options.engine}
    result: dict[str, Any] = {**setting(), **asked, "repeats": options.repeats, "sweeps": [], "writers": [], "failures": []}
    for repeat in range(options.repeats):
        for tracked in (False, True)[:: 1 if repeat % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory(prefix="efficiency-", ignore_cleanup_errors=True) as folder:
                _one(result, Path(folder), tracked=tracked, last=repeat == options.repeats - 1, **asked)
    result["median"] = summary(result)
    write(f"efficiency-{options.engine}", result, page(result), options.results)
    print(page(result))
    if result["failures"]:
        sys.exit(1)


def _one(result: dict[str, Any], home: Path, *, tracked: bool, last: bool, trials: int, workers: int, engine: str) -> None:
    """One sweep, and after the last one with MLflow both writers, into ``result``."""
    word = "on" if tracked else "off"
    try:
        made = sweep(home, tracked=tracked, trials=trials, workers=workers, engine=engine)
        result["sweeps"].append(made)
        told = f"efficiency {made['efficiency']:.3f}  winner {made['winner_s']:.1f} s  end {made['end_s']:.1f} s"
        print(f"{time.strftime('%H:%M:%S')} MLflow {word:3}  {told}  {made['epochs']} epochs, {made['lanes']:.1f} lanes", flush=True)
        if tracked and last:
            result["writers"] = writers(home, result["repeats"])
    except Exception as error:  # noqa: BLE001 - a failed run is part of the result, and the others go on
        result["failures"].append(f"MLflow {word}: {error}")
        print(f"MLflow {word} failed: {error}", flush=True)
