"""The Ray runner: Ray Tune places, watches and restarts worker sessions; the desk decides what they train.

A Tune trial is a *worker session*, not a trial of the sweep: stock Tune pays seconds of process start per trial, a
session trains leases until none is left. Tune's own state is scrap: what is open stands in the ledger, and a ``fit``
that ends early is started again.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.tune
from ray.tune.search import Searcher
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.data.dataset import Dataset
from sweeper.errors import InfrastructureError, StaleWriterError, SweeperError
from sweeper.ports import Desk, Train
from sweeper.runners.desk_server import DeskServer
from sweeper.runners.session import Session
from sweeper.trial import Lease, Report, Verdict

SLICE_S = 1.0
"""Seconds that a session trains between two words with Tune, which acts only then."""

BARREN_FITS = 3
"""Fits in a row that may end without anything recorded."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_WARN_THRESHOLD_S": "3600",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
"""Ray's switches: no telemetry, no loggers or state snapshots of Tune's own, no handler that swallows Ctrl-C."""


class RemoteDesk:
    """The desk behind an actor handle; calls outlive a restart of the actor.

    Raises:
        InfrastructureError: the actor, or the whole cluster, is gone for good.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def lease(self, worker: str, lanes: int) -> Lease | None:
        """As ``Desk.lease``."""
        answer: Lease | None = _answer(self._actor.lease.remote(worker, lanes))
        return answer

    def report(self, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """As ``Desk.report``."""
        answer: list[Verdict] = _answer(self._actor.report.remote(tokens, reports))
        return answer

    def fail(self, token: int, trial: int, reason: str) -> None:
        """As ``Desk.fail``."""
        _answer(self._actor.fail.remote(token, trial, reason))

    def release(self, worker: str) -> None:
        """As ``Desk.release``."""
        _answer(self._actor.release.remote(worker))

    def open(self) -> bool:
        """As ``Desk.open``."""
        answer: bool = _answer(self._actor.open.remote())
        return answer

    def recorded(self) -> int:
        """Reports and failures that the actor's present process has recorded."""
        answer: int = _answer(self._actor.recorded.remote())
        return answer


def _answer(reference: Any) -> Any:
    """Wait for an actor's answer; an error raised in there is raised here as itself."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InfrastructureError(f"the desk of the sweep is gone: {type(error).__name__}") from error


class Worker(ray.tune.Trainable):
    """A worker session as Tune sees it: each step is a slice of training."""

    def setup(  # type: ignore[override]  # Tune passes the values of with_parameters by name
        self, config: dict[str, Any], desk: Any, data: Dataset, make_train: Callable[[Dataset], Train]
    ) -> None:
        """Build the core's training once per process: ``data`` is read in place from the object store."""
        self._desk = RemoteDesk(desk)
        self._train = make_train(data)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another session in the same process."""
        self._session = Session(new_config["worker"], self._desk, self._train)
        return True

    def step(self) -> dict[str, Any]:
        """Train for a slice; a failing store ends the session with its sentence."""
        try:
            more = self._session.run(SLICE_S)
        except InfrastructureError as error:
            return {"done": True, "trouble": str(error)}
        return {"done": not more}

    def cleanup(self) -> None:
        """Close what is in hand."""
        self._session.close()


class Sessions(Searcher):
    """Tells Tune when another worker session is of use.

    Attributes:
        trouble: why the sweep cannot go on; None while it can.
    """

    def __init__(self, desk: RemoteDesk, workers: int, name: str) -> None:
        super().__init__()
        self.trouble: SweeperError | None = None
        self._desk = desk
        self._name = name
        self._live: set[str] = set()
        self._sated = False
        self._recorded = 0
        self._barren = 0
        self._most_barren = 2 * workers + 1

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:  # type: ignore[override]  # Ray forgets FINISHED
        """A new session, None while those that live are enough, FINISHED when nothing is open (or nothing helps)."""
        if self.trouble is not None or self._barren > self._most_barren or not self._desk.open():
            finished: str = Searcher.FINISHED
            return finished
        if self._sated and self._live:
            return None
        self._live.add(trial_id)
        return {"worker": self._worker(trial_id)}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The session has ended or died: what it still held is open again, for which another session may be of use."""
        self._live.discard(trial_id)
        try:
            self._desk.release(self._worker(trial_id))
        except StaleWriterError as stale:
            self.trouble = stale
            return
        if result is not None and "trouble" in result:
            self.trouble = InfrastructureError(result["trouble"])
        recorded = self._desk.recorded()
        if recorded != self._recorded:
            self._recorded, self._barren = recorded, 0
        elif error or not self._live:
            self._barren += 1
        self._sated = not error

    def release_all(self) -> None:
        """Give back what the living sessions hold."""
        for trial_id in sorted(self._live):
            self._desk.release(self._worker(trial_id))
        self._live.clear()

    def _worker(self, trial_id: str) -> str:
        return f"{self._name}/{trial_id}"

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger has it all."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a fit is started anew from the ledger."""


def run(
    make_desk: Callable[[], Desk],
    make_train: Callable[[Dataset], Train],
    data: Dataset,
    *,
    workers: int,
    cpus_per_worker: int,
    gpus_per_worker: float,
    name: str,
    home: Path,
) -> None:
    """Train every open trial of the sweep on Ray workers.

    Args:
        make_desk: builds the desk from the ledger, in the desk's process, and again if that process dies.
        make_train: builds the training from the data, once per worker process.
        data: put into the object store once; workers read it in place (read-only arrays).
        workers: sessions at a time; a cluster with fewer slots runs as many as fit.
        cpus_per_worker: CPUs that each session reserves.
        gpus_per_worker: GPUs, or a share of one, that each session reserves.
        name: the sweep's name.
        home: where Tune's scratch folder lives while this runs.

    Raises:
        InfrastructureError: Ray cannot be started or reached, no node has room for a worker, or nothing gets on.
        StaleWriterError: another process has taken the sweep over.
    """
    with _ray(name):
        _check_room(cpus_per_worker, gpus_per_worker)
        node = ray.get_runtime_context().get_node_id()
        actor: Any = (
            ray.remote(DeskServer)
            .options(
                num_cpus=0,
                max_restarts=-1,
                max_task_retries=-1,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(make_desk)
        )
        desk = RemoteDesk(actor)
        trainable = ray.tune.with_resources(
            ray.tune.with_parameters(Worker, desk=actor, data=data, make_train=make_train),
            {"cpu": cpus_per_worker, "gpu": gpus_per_worker},
        )
        try:
            _supervise(desk, trainable, workers, name, home)
        finally:
            ray.kill(actor)


def _supervise(desk: RemoteDesk, trainable: type[Worker], workers: int, name: str, home: Path) -> None:
    """Fit until nothing is open; a fit that ends early is started again while the sweep gets on."""
    barren = 0
    while desk.open():
        before = desk.recorded()
        sessions = Sessions(desk, workers, name)
        error = _fit(sessions, trainable, workers, home)
        if sessions.trouble is not None:
            raise sessions.trouble
        barren = 0 if desk.recorded() != before else barren + 1
        if barren == BARREN_FITS:
            raise InfrastructureError(f"the workers do not get on ({BARREN_FITS} attempts): {error or 'they end without a word'}")


def _fit(sessions: Sessions, trainable: type[Worker], workers: int, home: Path) -> str | None:
    """One fit of Tune; the last line of what killed a session, if any was."""
    home.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".tune-", dir=home))
    tuner = ray.tune.Tuner(
        trainable,
        tune_config=ray.tune.TuneConfig(
            search_alg=sessions,
            num_samples=-1,
            max_concurrent_trials=workers,
            reuse_actors=True,
            trial_dirname_creator=_trial_folder,
        ),
        run_config=ray.tune.RunConfig(
            name="sessions",
            storage_path=str(scratch),
            verbose=0,
            failure_config=ray.tune.FailureConfig(max_failures=0, fail_fast=False),
            checkpoint_config=ray.tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
        ),
    )
    try:
        results = tuner.fit()
    except SweeperError:
        raise
    except Exception as error:  # noqa: BLE001 - Tune's own failure: the ledger knows what is open, the caller starts anew
        sessions.release_all()
        return f"{type(error).__name__}: {error}"
    except BaseException:
        sessions.release_all()
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return _last_line(results.errors)


def _trial_folder(trial: Any) -> str:
    """A session's folder is named by its id; Tune's default writes the config into the name."""
    return str(trial.trial_id)


def _last_line(errors: Sequence[BaseException]) -> str | None:
    lines = [line for error in errors for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else None


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes


def _check_room(cpus: int, gpus: float) -> None:
    """Refuse what would wait for ever: a worker that no node of the cluster could hold."""
    nodes = [node["Resources"] for node in _nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        largest = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise InfrastructureError(f"no node has room for a worker of {cpus} CPUs and {gpus:g} GPUs; the nodes have {largest}")


@contextmanager
def _ray(namespace: str) -> Iterator[None]:
    """Ray, started or joined for this block unless it already is; the process's signal handlers stay as they were."""
    if ray.is_initialized():
        yield
        return
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    try:
        with _signal_handlers_kept():
            ray.init(
                address=os.environ.get("RAY_ADDRESS") or "local",
                namespace=namespace,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InfrastructureError(f"Ray cannot be started or reached: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Put back the SIGTERM handler, which ``ray.init`` replaces when called from the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
