"""The driving process: starts the desk, fits sessions until nothing is open, cleans up."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray import tune
from ray.tune.execution.class_cache import DEFAULT_ENV_VARS
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.data.dataset import Dataset
from sweeper.errors import InfrastructureError, SweeperError
from sweeper.ports import Desk, Train
from sweeper.runners.ray_tune.desk import RemoteDesk
from sweeper.runners.ray_tune.server import DeskServer
from sweeper.runners.ray_tune.sessions import Sessions
from sweeper.runners.ray_tune.worker import Worker

SCRATCH = ".tune-"
BARREN_FITS = 3
"""Fits in a row that may end without anything recorded."""


class Driver:
    """One run of a sweep on a Ray cluster that is up; the arguments are those of ``run``."""

    def __init__(
        self,
        make_desk: Callable[[], Desk],
        make_train: Callable[[Dataset], Train],
        data: Dataset,
        *,
        workers: int | None,
        cpus_per_worker: int,
        gpus_per_worker: float,
        name: str,
        home: Path,
    ) -> None:
        # Tune's one default is for PyTorch Lightning. An actor with variables of its own gets a new process, which imports Ray twice;
        # without them it takes one of those that Ray has started ahead.
        DEFAULT_ENV_VARS.clear()
        room = _room(cpus_per_worker, gpus_per_worker)
        self._workers = room if workers is None else workers
        self._name = name
        self._home = home
        # On this node, for the ledger may be a file of it; a killed desk is started again and its calls are repeated.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        desk_class: Any = ray.remote(DeskServer)
        self._actor = desk_class.options(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here).remote(make_desk)
        self._actor.open.remote()  # nobody waits for this first call: the desk is built while the workers start
        self._desk = RemoteDesk(self._actor)
        self._trainable = tune.with_resources(
            tune.with_parameters(Worker, desk=self._actor, data=data, make_train=make_train),
            {"cpu": cpus_per_worker, "gpu": gpus_per_worker},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ray.kill(self._actor)

    def run(self) -> None:
        """Fit until nothing is open; a fit that ends early is started again while the sweep gets on."""
        barren = recorded = 0
        while barren < BARREN_FITS:
            sessions = Sessions(self._desk, self._workers, self._name)
            cause = self._fit(sessions)
            if sessions.trouble is not None:
                raise sessions.trouble
            if not self._desk.open():
                return
            if sessions.exhausted():
                break
            before, recorded = recorded, self._desk.recorded()
            barren = barren + 1 if recorded == before else 0
        raise InfrastructureError(f"the workers do not get on: {cause or 'their sessions end with nothing done'}")

    def _fit(self, sessions: Sessions) -> str | None:
        """One fit of Tune; in a line, what killed a session or the fit itself, if anything did."""
        self._home.mkdir(parents=True, exist_ok=True)
        for old in self._home.glob(f"{SCRATCH}*"):
            shutil.rmtree(old, ignore_errors=True)  # of a driver that was killed: this one owns the sweep now
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=self._home))
        try:
            return _last_line(self._tuner(sessions, scratch).fit().errors)
        except SweeperError:
            raise
        except Exception as error:  # noqa: BLE001 - Tune's own failure: the ledger knows what is open, and run() starts anew
            sessions.release()
            return _last_line([error])
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _tuner(self, sessions: Sessions, scratch: Path) -> tune.Tuner:
        return tune.Tuner(
            self._trainable,
            tune_config=tune.TuneConfig(
                search_alg=sessions,
                num_samples=-1,
                max_concurrent_trials=self._workers,
                reuse_actors=True,
                trial_dirname_creator=_folder,
            ),
            run_config=tune.RunConfig(
                name="sessions",
                storage_path=str(scratch),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0, fail_fast=False),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
            ),
        )


def _folder(trial: Any) -> str:
    """A session's folder is its id; Tune's default writes the config into the name."""
    return str(trial.trial_id)


def _last_line(errors: Sequence[BaseException]) -> str | None:
    lines = [line.strip() for error in errors for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else None


def _room(cpus: int, gpus: float) -> int:
    """How many workers the cluster's nodes hold; none is refused, for it would be waited for without end."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    rooms = [(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)) for node in nodes if node["Alive"]]
    workers = sum(int(min(room[0] / cpus, room[1] / gpus if gpus else math.inf)) for room in rooms)
    if not workers:
        held = ", ".join(f"{room[0]:g} CPUs and {room[1]:g} GPUs" for room in rooms)
        raise InfrastructureError(f"no node has room for a worker of {cpus} CPUs and {gpus:g} GPUs; the nodes have {held}")
    return workers
