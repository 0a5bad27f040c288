"""The reuse arm of vs_ray_tune: the strongest arrangement of the same search that a user of Ray Tune could write.

Everything that we know to make Tune faster and that leaves Tune in charge of the trials and of halving:

- processes: a class trainable with ``reuse_actors=True``, so that a worker imports torch once and trains many trials; Ray starts while
  Tune is imported and the data prepared; the data goes to the workers once (``with_parameters``); the driver imports no torch;
- reports: ``step`` trains up to the next rung, as halving acts nowhere else: a whole trial costs four answers of Tune, not 20;
- search: the points are handed to Tune's own generator (no Optuna), and only as many trials are kept pending as there are cores;
- tracking: an actor without a CPU of its own writes to MLflow (WAL; migrated while the workers start), one run and one ``log_batch`` with
  the whole curve per trial; the driver only sends it away;
- no checkpoints, no CSV, JSON or TensorBoard files, no snapshots of Tune's state, no progress tables, no dashboard;
- the step itself (``reuse_training``): one torch thread, fused AdamW, foreach clipping, the learning rate set as a number, rows gathered
  once per epoch, no ``.item()`` per step, evaluation in inference mode.

It records less than sweeper: no config file, no provenance, no best model, nothing that could be resumed.

Usage: python -m benchmarks.reuse_ray_tune TRIALS.json DIRECTORY
As ``stock_ray_tune``; ``winner: {...}`` is printed when the winner is known, while MLflow may still be written.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_MAX_PENDING_TRIALS_PG": str(len(os.sched_getaffinity(0))),
}

import ray

from benchmarks.digits import digits

RUNGS = (2, 6, 18, 20)
METRICS = ("train_loss", "val_loss", "val_accuracy", "lr")


class Tracker:
    """Writes finished trials to MLflow, in a process of its own."""

    def __init__(self, store: Path) -> None:
        import sqlite3

        from mlflow import MlflowClient

        self._client = MlflowClient(f"sqlite:///{store}")
        self._experiment = self._client.create_experiment("digits")
        with sqlite3.connect(store) as database:
            database.execute("pragma journal_mode=WAL")
        self._written = 0

    def write(self, name: str, config: dict[str, Any], begun: float, curve: list[tuple[float, ...]], status: str) -> None:
        """One run: its params, its curve (unix time and ``METRICS`` by epoch) and its end."""
        from mlflow.entities import Metric, Param

        run = self._client.create_run(self._experiment, round(begun * 1000), run_name=name).info.run_id
        points = [
            Metric(key, value, round(at * 1000), epoch)
            for epoch, (at, *values) in enumerate(curve, start=1)
            for key, value in zip(METRICS, values, strict=True)
        ]
        self._client.log_batch(run, points, [Param(key, str(value)) for key, value in config.items()])
        self._client.set_terminated(run, status)
        self._written += 1

    def written(self) -> int:
        """How many there are; answered after all that was sent before."""
        return self._written


def start_ray(started: threading.Event) -> None:
    """To be run in a thread, which then waits for ever: Ray's processes die with the thread that started them."""
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    started.set()
    threading.Event().wait()


def main(trials: Path, directory: Path) -> None:
    configs: list[dict[str, Any]] = json.loads(trials.read_text())
    started = threading.Event()
    threading.Thread(target=start_ray, args=(started,), daemon=True).start()

    from ray import tune
    from ray.tune.logger import LoggerCallback
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search import BasicVariantGenerator

    class Worker(tune.Trainable):
        """Trains one trial after another in one process, up to the next rung in each step."""

        # Ray hands on what ``with_parameters`` was given.
        def setup(self, config: dict[str, Any], data: dict[str, Any], started: Path) -> None:  # type: ignore[override]
            from benchmarks.reuse_training import Training

            self._training = Training(data)
            self._started = started
            self._training.begin(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._training.begin(new_config)
            return True

        def step(self) -> dict[str, Any]:
            with suppress(FileExistsError):
                self._started.touch(exist_ok=False)
            curve = self._training.curve
            rung = next(rung for rung in RUNGS if rung > len(curve))
            while len(curve) < rung:
                self._training.epoch()
            return {"epoch": rung, "val_loss": curve[-1][2], "begun": self._training.begun, "curve": curve, "done": rung == RUNGS[-1]}

    class ToMlflow(LoggerCallback):
        """Sends each finished trial to the tracker, and remembers the best."""

        def __init__(self, tracker: Any) -> None:
            self.best: tuple[float, dict[str, Any]] = (math.inf, {})
            self._tracker = tracker

        def log_trial_end(self, trial: Any, failed: bool = False) -> None:
            result = trial.last_result
            curve = result.get("curve", [])
            self._tracker.write.remote(
                str(trial), trial.config, result.get("begun", time.time()), curve, "FAILED" if failed else "FINISHED"
            )
            lowest = min((point[2] for point in curve), default=math.inf)
            if lowest < self.best[0]:
                self.best = lowest, trial.config

    data = digits()
    started.wait()
    tracker: Any = ray.remote(Tracker).options(num_cpus=0).remote(directory / "mlflow.db")
    to_mlflow = ToMlflow(tracker)
    tune.Tuner(
        tune.with_parameters(Worker, data=data, started=directory / "started"),
        param_space={
            "width": tune.choice([64, 128, 256]),
            "depth": tune.randint(1, 4),
            "dropout": tune.uniform(0.0, 0.5),
            "lr": tune.loguniform(1e-4, 1e-2),
            "weight_decay": tune.loguniform(1e-4, 1e-1),
        },
        tune_config=tune.TuneConfig(
            metric="val_loss",
            mode="min",
            num_samples=len(configs),
            search_alg=BasicVariantGenerator(points_to_evaluate=configs),
            scheduler=ASHAScheduler(time_attr="epoch", max_t=RUNGS[-1], grace_period=RUNGS[0], reduction_factor=3),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="digits",
            storage_path=str(directory / "ray_results"),
            verbose=0,
            callbacks=[to_mlflow],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
        ),
    ).fit()
    print(f"winner: {json.dumps(to_mlflow.best[1])}", flush=True)
    if ray.get(tracker.written.remote()) != len(configs):
        sys.exit("not every trial was written to MLflow")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
