"""Ray itself: started or joined in the background, stopped without leftovers."""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
from contextlib import nullcontext
from types import TracebackType
from typing import Self

from sweeper.errors import InfrastructureError
from sweeper.runners.ray_tune.scratch import scratch_folder

SWITCHES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "(?s).*",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "86400",
    "TUNE_WARN_THRESHOLD_S": "3600",
}
"""Ray reads these at its import: no telemetry, nothing on our terminal, no snapshots of Tune's state, Ctrl-C and SIGTERM are ours."""


SET_BY_RAY = ("PYTHONBREAKPOINT",)
"""What ``ray.init`` leaves in the environment, and would send this process's ``breakpoint()`` to Ray's debugger later on."""

ANSWER_S = 5.0
"""Seconds that the cluster of RAY_ADDRESS has to answer; Ray itself tries for a quarter of an hour."""


class Cluster:
    """A Ray cluster for the block of a ``with``: a local one, or the one that RAY_ADDRESS names.

    Entering returns at once; Ray takes seconds to start, which the caller may use for other work before ``ready``.
    Where Ray is initialised already, it is used as it is and left running.

    Args:
        namespace: the sweep's name.
        cpus: how many CPUs a local cluster says it has; None: as many as there are.
    """

    def __init__(self, namespace: str, cpus: int | None = None) -> None:
        self._namespace = namespace
        self._cpus = cpus
        # Ray's processes die with the thread that started them, so this one lives as long as they are wanted. It is not
        # the main thread, in which ray.init would take the process's SIGTERM handler.
        self._keeper = threading.Thread(target=self._keep, name="ray-keeper", daemon=True)
        self._begun = threading.Event()
        self._over = threading.Event()
        self._error: Exception | None = None
        self._environment: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        self._environment = {name: os.environ.get(name) for name in (*SWITCHES, *SET_BY_RAY)}
        for name, value in SWITCHES.items():
            os.environ.setdefault(name, value)
        self._keeper.start()
        return self

    @property
    def begun(self) -> bool:
        """Whether ``ready`` would answer at once."""
        return self._begun.is_set()

    def ready(self) -> None:
        """Wait until Ray runs.

        Raises:
            InfrastructureError: it cannot be started or reached.
        """
        self._begun.wait()
        if self._error is not None:
            hint = "; is RAY_ADDRESS right, and does RAY_AUTH_TOKEN hold the cluster's token?" if os.environ.get("RAY_ADDRESS") else ""
            raise InfrastructureError(f"Ray cannot be started or reached: {self._error}{hint}") from self._error

    def stop(self) -> None:
        """Begin to stop Ray, which takes a second or two; leaving the block waits for it. Nothing may use Ray any more."""
        # A handle that the garbage collector finds while Ray's core stops would end this process: it looks at nothing older than now.
        gc.freeze()
        self._over.set()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._keeper.join()
        gc.unfreeze()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _keep(self) -> None:
        import ray

        if ray.is_initialized():
            self._begun.set()
            return
        address = os.environ.get("RAY_ADDRESS") or "local"
        with scratch_folder() if address == "local" else nullcontext() as scratch:
            try:
                # Said before ray.init sets the same: it would warn that it leaves SIGTERM alone. What goes wrong is told by us.
                logging.getLogger("ray").setLevel(logging.CRITICAL)
                _check_answers(address)
                ray.init(
                    address=address,
                    namespace=self._namespace,
                    num_cpus=None if scratch is None else self._cpus,
                    include_dashboard=None if scratch is None else False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    _temp_dir=None if scratch is None else str(scratch),
                )
            except Exception as error:  # noqa: BLE001 - raised again in the thread that waits in ready()
                self._error = error
            self._begun.set()
            self._over.wait()
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse a ``host:port`` where nothing listens."""
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers at RAY_ADDRESS {address} ({error.strerror or error})") from error
