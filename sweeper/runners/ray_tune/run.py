"""The runner's one function."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from sweeper.data.dataset import Dataset
from sweeper.ports import Desk, Train
from sweeper.runners.ray_tune.cluster import Cluster
from sweeper.runners.ray_tune.signals import sigterm_as_interrupt


def run(
    make_desk: Callable[[], Desk],
    make_train: Callable[[Dataset], Train],
    data: Dataset,
    *,
    workers: int | None,
    cpus_per_worker: int,
    gpus_per_worker: float,
    name: str,
    home: Path,
    cluster: Cluster | None = None,
) -> None:
    """Train every open trial of the sweep on Ray workers.

    Args:
        make_desk: picklable; builds the desk from the ledger, in the desk's process, and again if that process dies.
        make_train: picklable; builds the training from the data, once per worker process.
        data: put into the object store once; workers read it in place (its arrays are read-only there).
        workers: sessions at a time, None for all that the cluster has room for; a cluster with fewer slots runs as many as fit.
        cpus_per_worker: CPUs that each session reserves.
        gpus_per_worker: GPUs, or a share of one, that each session reserves.
        name: the sweep's name.
        home: the sweep's own folder, where Tune's scratch folder lives while this runs.
        cluster: one that the caller has entered, and will leave; default: one for this run alone.

    Raises:
        InfrastructureError: Ray cannot be started or reached, no node has room for a worker, a store failed, or
            the workers die without getting on.
        StaleWriterError: another process has taken the sweep over.
    """
    with Cluster(name) if cluster is None else nullcontext(cluster) as running:
        # Tune's import takes a third as long as Ray's start, which goes on meanwhile.
        from sweeper.runners.ray_tune.driver import Driver

        running.ready()
        with (
            sigterm_as_interrupt(),
            Driver(
                make_desk,
                make_train,
                data,
                workers=workers,
                cpus_per_worker=cpus_per_worker,
                gpus_per_worker=gpus_per_worker,
                name=name,
                home=home,
            ) as driver,
        ):
            driver.run()
