"""``sweeper ui``: MLflow's own UI on the store of these sweeps."""

from __future__ import annotations

import os
import sys

from sweeper.app.existing import known_sweeps
from sweeper.app.home import Home
from sweeper.errors import InputError
from sweeper.trial import Direction


def serve(host: str, port: int) -> None:
    """Become the MLflow server; does not return.

    Raises:
        InputError: the runs are on a server already, or there is nothing to show yet.
    """
    home = Home.from_environment()
    if home.tracking_uri.startswith(("http://", "https://")):
        raise InputError.of("MLFLOW_TRACKING_URI", "", "the runs are on an MLflow server already", hint="open its address in a browser")
    if home.tracking_uri == f"sqlite:///{home.root / 'mlflow.db'}" and not (home.root / "mlflow.db").exists():
        raise InputError.of(str(home.root), "", "no sweep has been recorded here yet", hint="make sweep SPACE=mlp")
    # Job execution lets the server run code for its clients; a local viewer has no use for it.
    # The store goes by the environment because its URI may hold a password, and command lines are public.
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": home.tracking_uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    artifacts = ["--default-artifact-root", home.artifacts.as_uri()]
    print(f"MLflow UI: http://{host}:{port}/{_latest_page(home)}  (Ctrl-C ends it)", flush=True)
    os.execve(sys.executable, [*command, *artifacts], environment)  # noqa: S606 - our own interpreter, no shell


def _latest_page(home: Home) -> str:
    """The runs of the latest sweep, the best first, in the UI's mode for model training: by itself it opens where runs do not show."""
    from sweeper.tracking.mlflow import Tracker

    sweeps = known_sweeps(home)
    experiment = Tracker(home.tracking_uri, home.artifacts).find_experiment(sweeps[-1].facts["experiment"]) if sweeps else None
    if experiment is None:
        return "#/experiments?workflowType=machine_learning"
    metric = sweeps[-1].metric
    ascending = str(metric.direction is Direction.MINIMIZE).lower()
    order = f"orderByKey=metrics.%60best_{metric}%60&orderByAsc={ascending}"
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning&{order}"
