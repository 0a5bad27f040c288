"""What a trial costs besides its training and MLflow: study, desk, session and a real SQLite ledger, with training that does nothing.

Each case is a process of its own that drives a whole sweep by the local runner. The training reports at once, 20 epochs a trial, with the
eight metrics of a classification trial. In the *full* cases every trial is better than all before it, so that (nearly) none is pruned: 20
reports and four verdicts each, the most there can be. In the *halved* cases the values are random and halving stops most trials at a rung,
as in a real sweep. The cases with one lane ask and report trial by trial, those with eight in stacks.

Memory is the resident set at 100, 1,000, ... finished trials; what grows is named by a shorter run under ``tracemalloc``.

Usage: python -m benchmarks overhead [--sizes 100,1000,10000] [--tpe-sizes 100,1000] [--lanes 1,8] [--repeats 3]
       [--results FOLDER]
       python -m benchmarks overhead --profile random:1000:1:full    (cProfile of one case, slowest functions first; writes nothing)
Writes benchmarks/results/DATE-overhead.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.results import FOLDER, setting, write
from sweeper.trial import Command, Continue, RangeFinding, RangeTest, Refill, Report, Trial

HERE = Path(__file__).resolve().parent
SPACES = {"random": "digits_mlp", "tpe": "digits_mlp", "shapes": "digits_shapes"}
"""The space of each sampler; ``shapes`` is random search over architectures, too."""
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024
TARGET_MS = 5.0
TRACED = (1000, 3000)
"""Between these numbers of finished trials the growth of memory is looked at."""


@dataclass(frozen=True)
class Case:
    """One measurement: ``random:1000:8:full``."""

    sampler: str
    trials: int
    lanes: int
    kind: str

    @classmethod
    def parse(cls, text: str) -> Case:
        """Read what ``str`` gives."""
        sampler, trials, lanes, kind = text.split(":")
        return cls(sampler, int(trials), int(lanes), kind)

    def __str__(self) -> str:
        return f"{self.sampler}:{self.trials}:{self.lanes}:{self.kind}"


class Idle:
    """Training that does nothing; see ``sweeper.ports.Train``.

    Args:
        case: tells the lanes and the values.
        finished: called with the number of finished trials after each.
    """

    def __init__(self, case: Case, finished: Callable[[int], None]) -> None:
        self._case = case
        self._finished = finished
        self.trials = 0
        self.reports = 0

    def lanes(self, trial: Trial, most: int) -> int:  # noqa: ARG002 - the same for every shape
        """See ``sweeper.ports.Train.lanes``."""
        return self._case.lanes

    def range_test(self, test: RangeTest) -> RangeFinding:
        """See ``sweeper.ports.Train.range_test``; no space here asks for one."""
        raise NotImplementedError(test)

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """See ``sweeper.ports.Train``."""
        lanes = [(trial, 1) for trial in trials]
        while lanes:
            commands = yield [self._report(trial, epoch) for trial, epoch in lanes]
            going = []
            for (trial, epoch), command in zip(lanes, commands, strict=True):
                if isinstance(command, Continue):
                    going.append((trial, epoch + 1))
                    continue
                self.trials += 1
                self._finished(self.trials)
                if isinstance(command, Refill):
                    going.append((command.trial, 1))
            lanes = going

    def _report(self, trial: Trial, epoch: int) -> Report:
        self.reports += 1
        last = int(trial.config["training"]["epochs"])
        if self._case.kind == "full":
            value = 1.0 / (1.0 + trial.number + epoch / (last + 1))
        else:
            value = random.Random(trial.seed).random() + 1.0 / epoch  # noqa: S311 - numbers to be ranked
        metrics = {"train_loss": value, "train_accuracy": 0.9, "val_loss": value, "val_accuracy": 0.9, "val_f1_macro": 0.9}
        metrics |= {"lr": 1e-3, "grad_norm": 1.0, "seconds": 0.0}
        return Report(trial.number, epoch, metrics, time.time(), f"all {last} epochs" if epoch == last else None)


def drive(case: Case, finished: Callable[[int], None]) -> dict[str, Any]:
    """A whole sweep without training; how long it took, and on what.

    Raises:
        RuntimeError: not every trial ended as it should.
    """
    from sweeper.app.desk import open_desk
    from sweeper.config.space import Space
    from sweeper.ledger.owner import Owner
    from sweeper.ledger.records import NewSweep, SweepState
    from sweeper.ledger.store import Ledger
    from sweeper.runners import local

    sampler = "tpe" if case.sampler == "tpe" else "random"
    file = HERE / "spaces" / f"{SPACES[case.sampler]}.yaml"
    space = Space.load(file, [f"search.sampler={sampler}", f"search.trials={case.trials}"])
    # In the folder of ``child``, which outlives a case that is killed.
    with tempfile.TemporaryDirectory(prefix="overhead-", dir=os.environ.get("SWEEPER_HOME")) as folder:
        url = f"sqlite:///{folder}/ledger.db"
        ledger = Ledger.open(url)
        ledger.create_sweep(NewSweep(space.name, space.text, space.fingerprint(), space.base.search.metric, case.trials))
        writer = ledger.claim(space.name, Owner.here())
        desk = open_desk(url, space.name, writer.epoch)
        idle = Idle(case, finished)
        wall, cpu = time.perf_counter(), time.process_time()
        local.run(desk, idle)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        writer.finish(SweepState.COMPLETE)
        counts = ledger.counts(space.name)
        ledger.close()
        if counts.complete + counts.pruned != case.trials or idle.trials != case.trials:
            raise RuntimeError(f"{case}: {counts}")
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "reports": idle.reports,
        "complete": counts.complete,
    }


def measured(case: Case) -> dict[str, Any]:
    """One case in this process: milliseconds a trial, over all and over the last tenth, and the resident set on the way."""
    resident: dict[int, float] = {}
    tenth = [0.0]

    def finished(trials: int) -> None:
        if trials in {100, 1000, 10_000, case.trials}:
            resident[trials] = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KB / 1024
        if trials == case.trials - case.trials // 10:
            tenth[0] = time.perf_counter()
        elif trials == case.trials:
            tenth[0] = time.perf_counter() - tenth[0]

    told = drive(case, finished)
    return {
        **asdict(case),
        "ms_per_trial": 1000 * told["wall_s"] / case.trials,
        "cpu_ms_per_trial": 1000 * told["cpu_s"] / case.trials,
        "last_tenth_ms_per_trial": 1000 * tenth[0] / (case.trials // 10),
        "reports_per_trial": told["reports"] / case.trials,
        "complete": told["complete"],
        "resident_mb": resident,
    }


def traced(case: Case) -> dict[str, Any]:
    """Which lines of sweeper keep memory as trials are added: bytes a trial, the largest first."""
    snapshots: list[tracemalloc.Snapshot] = []

    def finished(trials: int) -> None:
        if trials == TRACED[0]:
            tracemalloc.start(25)
        if trials in {2 * TRACED[0], TRACED[1]}:
            snapshots.append(tracemalloc.take_snapshot())

    drive(case, finished)
    count = TRACED[1] - 2 * TRACED[0]
    places: Counter[str] = Counter()
    for found in snapshots[1].compare_to(snapshots[0], "traceback"):
        places[_ours(found.traceback)] += found.size_diff
    largest = [(place, round(size / count)) for place, size in places.most_common(10)]
    return {"bytes_per_trial": round(sum(places.values()) / count), "largest": largest}


def _ours(traceback: tracemalloc.Traceback) -> str:
    """The innermost line of sweeper that led there."""
    ours = [frame for frame in traceback if frame.filename.startswith(str(HERE.parent / "sweeper"))]
    return f"{Path(ours[-1].filename).relative_to(HERE.parent)}:{ours[-1].lineno}" if ours else "elsewhere"


def profiled(case: Case) -> None:
    """Print where one case spends its time."""
    import cProfile
    import pstats

    profile = cProfile.Profile()
    profile.runcall(drive, case, lambda _: None)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    cases = result["cases"]
    lines = [
        f"# Orchestration overhead per trial, {result['date']}",
        "",
        f"{result['told']}; the middle one of {result['repeats']} runs. `python -m benchmarks overhead`",
        "",
        "A sweep whose training does nothing, by the local runner on a real SQLite ledger, without MLflow. *full*: 20 reports and four",
        "verdicts a trial; *halved*: halving stops most trials early.",
        "",
        "| search | lanes | values | trials | ms a trial | CPU ms | ms, last tenth | reports a trial |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        cells = [case["sampler"], case["lanes"], case["kind"], f"{case['trials']:,}"]
        numbers = ("ms_per_trial", "cpu_ms_per_trial", "last_tenth_ms_per_trial", "reports_per_trial")
        lines.append(f"| {' | '.join(str(cell) for cell in (*cells, *(f'{case[key]:.2f}' for key in numbers)))} |")
    lines += ["", *_verdicts(cases)]
    lines += ["", "Resident memory of the process, MB, at so many finished trials:", ""]
    for case in cases:
        if len(case["resident_mb"]) > 1:
            steps = ", ".join(f"{megabytes:.0f} at {int(trials):,}" for trials, megabytes in case["resident_mb"].items())
            lines.append(f"- {case['sampler']}, {case['lanes']} lanes, {case['kind']}: {steps}")
    if growth := result.get("growth"):
        lines += ["", f"What stays of a trial is {growth['bytes_per_trial']:,} bytes, most of it made at:", ""]
        lines += [f"- `{place}`: {size:,} bytes" for place, size in growth["largest"]]
    lines += [f"\nFailed: {failure}" for failure in result["failures"]]
    return "\n".join(lines) + "\n"


def _verdicts(cases: Sequence[dict[str, Any]]) -> list[str]:
    """Whether random search keeps to the target, and how flat it is."""
    told = []
    for key in dict.fromkeys((case["sampler"], case["lanes"], case["kind"]) for case in cases if case["sampler"] != "tpe"):
        series = [case for case in cases if (case["sampler"], case["lanes"], case["kind"]) == key]
        worst = max(case["ms_per_trial"] for case in series)
        verdict = f"at most {worst:.2f} ms, the target of {TARGET_MS:.0f} ms is {'met' if worst <= TARGET_MS else 'missed'}"
        first, last = series[0], series[-1]
        times = last["ms_per_trial"] / first["ms_per_trial"]
        told.append(
            f"- {key[0]}, {key[1]} lanes, {key[2]}: {verdict}; at {last['trials']:,} trials {times:.2f} times that at {first['trials']:,}"
        )
    return told


def child(option: str, case: Case) -> dict[str, Any]:
    """A case in a process of its own.

    Raises:
        CommandError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="overhead-") as home:
        command = [sys.executable, "-m", "benchmarks", "overhead", option, str(case)]
        told: dict[str, Any] = json.loads(processes.run(command, cwd=HERE.parent, home=Path(home)).stdout)
    return told


def main(arguments: list[str]) -> None:
    """Measure every case and write the result."""
    parser = argparse.ArgumentParser(prog="overhead", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", default="100,1000,10000", help="trials, default 100,1000,10000")
    parser.add_argument("--tpe-sizes", default="100,1000", help="trials of the cases with TPE, default 100,1000")
    parser.add_argument("--lanes", default="1,8", help="default 1,8")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each case, of which the middle one counts (default 3)")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the result is written")
    parser.add_argument("--profile", type=Case.parse, metavar="CASE", help="print a profile of one case: random:1000:1:full")
    parser.add_argument("--one", type=Case.parse, help=argparse.SUPPRESS)
    parser.add_argument("--trace", type=Case.parse, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.profile:
        profiled(options.profile)
        return
    if options.one or options.trace:
        print(json.dumps(measured(options.one) if options.one else traced(options.trace)))
        return
    lanes = [int(count) for count in options.lanes.split(",")]
    sizes = [int(size) for size in options.sizes.split(",")]
    planned = [Case("random", size, count, kind) for kind in ("full", "halved") for count in lanes for size in sizes]
    planned += [Case("shapes", size, count, "halved") for count in lanes for size in sizes]
    planned += [Case("tpe", int(size), count, "halved") for count in lanes for size in options.tpe_sizes.split(",") if size]
    result: dict[str, Any] = {**setting(), "target_ms": TARGET_MS, "repeats": options.repeats, "cases": [], "failures": []}
    for case in planned:
        print(f"{time.strftime('%H:%M:%S')} {case!s:26}", end="", flush=True)
        try:
            repeated = sorted((child("--one", case) for _ in range(options.repeats)), key=lambda one: float(one["ms_per_trial"]))
            made = repeated[len(repeated) // 2]
        except Exception as error:  # noqa: BLE001 - a failed case is part of the result, and the others go on
            result["failures"].append(f"{case}: {error}")
            print(f" failed: {error}", flush=True)
            continue
        result["cases"].append(made)
        print(f" {made['ms_per_trial']:6.2f} ms a trial, {made['cpu_ms_per_trial']:6.2f} ms CPU", flush=True)
    try:
        result["growth"] = child("--trace", Case("random", TRACED[1], 1, "halved"))
    except Exception as error:  # noqa: BLE001 - as above
        result["failures"].append(f"growth of memory: {error}")
    write("overhead", result, page(result), options.results)
    print(page(result))
    if result["failures"]:
        sys.exit(1)
