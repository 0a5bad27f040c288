"""Ray Tune with OptunaSearch (TPE) and ASHA, a function trainable on the same core, as a process of its own.

In its favour: data is prepared once and lies in the object store, Tune logs and checkpoints nothing, the rungs are those of
sweeper's default, the dashboard is off. Each trial is a process, as Tune has it.

Usage: python -m benchmarks.quality.ray_arm TRACE.json SECONDS TARGET KEY=VALUE...
TRACE.json holds a trace that says which task, seed and arm, and is filled; TARGET may be ``none``; after SECONDS the search is given up.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
STARTED = time.time()

import optuna  # noqa: E402 - Ray reads its switches at its import
import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.schedulers import ASHAScheduler  # noqa: E402
from ray.tune.search.optuna import OptunaSearch  # noqa: E402

from benchmarks.quality.optuna_arm import GRACE, REDUCTION, suggested  # noqa: E402
from benchmarks.quality.tasks import space_and_data  # noqa: E402
from benchmarks.quality.trace import Recorder, Trace  # noqa: E402
from benchmarks.quality.workers import WORKERS, trial_of  # noqa: E402
from sweeper.config.space import Space  # noqa: E402
from sweeper.trial import Continue, Outcome  # noqa: E402

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset


def train(config: dict[str, Any], text: str, data: Dataset) -> None:
    """One trial, a report per epoch."""
    from sweeper.core import loop

    space = Space.parse(text, "the space")
    name = tune.get_context().get_trial_id()
    trial = trial_of(0, space.resolve(lambda leaf: config[leaf.name], seed=zlib.crc32(f"{space.base.search.seed}/{name}".encode())))
    begun = time.time()
    steps = loop.train([trial], data, device="cpu")
    report = next(steps)[0]
    while True:
        complete, diverged = report.ended is not None, not report.finite()
        told = {"val_loss": report.metrics["val_loss"], "at": report.at, "begun": begun, "complete": complete, "diverged": diverged}
        tune.report(told)
        if complete or diverged:
            steps.close()
            return
        report = steps.send([Continue("")])[0]


class Watch(tune.Callback):
    """Records what Tune is told. Tune pickles it, so the recorder is not in it but beside it."""

    recorder: Recorder

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:  # noqa: ARG002
        """A report has arrived; Tune repeats a trial's last."""
        recorder = type(self).recorder
        if not self._numbers:
            recorder.begin(result["begun"])
            recorder.trace.startup = result["begun"] - STARTED
        number = self._numbers.setdefault(trial.trial_id, len(self._numbers))
        if trial.trial_id not in self._last or self._last[trial.trial_id]["at"] < result["at"]:
            recorder.report(result["at"], number, result["val_loss"])
        self._last[trial.trial_id] = result

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A trial has ended, of its own accord or by the scheduler."""
        last = self._last[trial.trial_id]
        outcome = Outcome.COMPLETE if last["complete"] else Outcome.DIVERGED if last["diverged"] else Outcome.PRUNED
        type(self).recorder.end(last["at"], self._numbers[trial.trial_id], outcome)


class Over(tune.Stopper):
    """Ends the experiment when the search is over."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002 - Tune's signature
        """No trial is stopped alone."""
        return False

    def stop_all(self) -> bool:
        """Whether the search is over."""
        return Watch.recorder.done.is_set()


def define(trial: optuna.Trial, space: Space) -> None:
    """Optuna's define-by-run way to say what the space holds: a conditional parameter is asked for only where it counts."""
    space.resolve(partial(suggested, trial), seed=0)


def main(path: Path, seconds: float, target: float | None, settings: list[str]) -> None:
    trace = Trace.load(path)
    space, data = space_and_data([*settings, "training.engine=plain"])
    search = space.base.search
    recorder = Watch.recorder = Recorder(trace, target, search.trials)
    ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory(prefix="search-quality-", ignore_cleanup_errors=True) as folder:
        sampler = optuna.samplers.TPESampler(seed=search.seed)
        results = tune.Tuner(
            tune.with_parameters(train, text=space.text, data=data),
            tune_config=tune.TuneConfig(
                metric="val_loss",
                mode="min",
                num_samples=search.trials,
                search_alg=OptunaSearch(space=partial(define, space=space), metric="val_loss", mode="min", sampler=sampler),
                scheduler=ASHAScheduler(
                    time_attr="training_iteration",
                    max_t=space.base.training.epochs,
                    grace_period=GRACE,
                    reduction_factor=REDUCTION,
                ),
                time_budget_s=seconds,
            ),
            run_config=tune.RunConfig(name="quality", storage_path=folder, callbacks=[Watch()], stop=Over(), verbose=0),
        ).fit()
    if results.errors:
        raise results.errors[0]
    if not trace.epochs:
        sys.exit(f"no trial reported within {seconds:g} s")
    if not recorder.done.is_set():
        trace.ended = "time"
        trace.seconds = time.time() - STARTED - trace.startup
    trace.save(path)


if __name__ == "__main__":
    # Under its own name, so that Tune pickles the callback by reference and its recorder stays where it is.
    from benchmarks.quality.ray_arm import main as run

    run(Path(sys.argv[1]), float(sys.argv[2]), None if sys.argv[3] == "none" else float(sys.argv[3]), sys.argv[4:])
