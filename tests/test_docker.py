"""docker/: what compose.yaml publishes, mounts and passes on, and the scripts it runs, each run once as a plain process."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).resolve().parents[1] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
RAY = [name for name, service in SERVICES.items() if "ray_token" in service["secrets"]]


def test_only_loopback_is_published() -> None:
    """One port is published, that of the MLflow UI, on the loopback interface."""
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {"mlflow": ["127.0.0.1:5000:5000"]}
    assert not any("network_mode" in service or "privileged" in service for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_the_environment(name: str) -> None:
    """Passwords and tokens come as paths of secret files; no URL has a password in it."""
    for key, value in SERVICES[name].get("environment", {}).items():
        assert not re.search(r"://[^/@]*:[^/@]*@", value)
        if re.search(r"PASSWORD|TOKEN|SECRET", key):
            assert key.endswith(("_FILE", "_PATH"))
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]
    assert not re.search(r"password|token", " ".join([*SERVICES[name].get("command", []), *SERVICES[name].get("entrypoint", [])]))


def test_each_service_sees_only_its_own_secrets() -> None:
    """The ledger's password goes to the jobs, MLflow's to its server, the superuser's to PostgreSQL alone."""
    holders = {secret: {name for name, service in SERVICES.items() if secret in service["secrets"]} for secret in COMPOSE["secrets"]}
    assert holders == {
        "postgres_password": {"postgres"},
        "mlflow_db_password": {"postgres", "mlflow"},
        "sweeper_db_password": {"postgres", "sweep", "sweeper"},
        "ray_token": {"ray-head", "ray-worker", "sweep"},
    }


@pytest.mark.parametrize("name", RAY)
def test_ray_asks_for_its_token(name: str) -> None:
    """Every Ray node has token authentication on, shared memory of its own size and the files of the sweeps."""
    service = SERVICES[name]
    assert {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/run/secrets/ray_token"}.items() <= service["environment"].items()
    assert service["shm_size"] == "1gb"
    words = [*service["command"], *(DOCKER / "join-ray.sh").read_text().split()] if name == "sweep" else service["command"]
    assert "--object-store-memory=500000000" in words
    assert service["volumes"] == ["home:/srv/sweeper"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_privileges(name: str) -> None:
    """Ours run without capabilities and cannot gain any; the image's user is not root."""
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert re.findall(r"^USER (\w+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE) == ["sweeper"]


def test_images_have_exact_tags() -> None:
    """No image is taken by a tag that moves from one minor version to the next."""
    bases = re.findall(r"^FROM (\S+)", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert len(set(bases)) == 1
    for image in (*bases, SERVICES["postgres"]["image"]):
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", image)


def test_mlflow_server_is_told_its_hosts() -> None:
    """The server answers by the names that its clients use, keeps artifacts itself and executes no jobs."""
    command, environment = SERVICES["mlflow"]["command"], SERVICES["mlflow"]["environment"]
    hosts = next(flag.partition("=")[2].split(",") for flag in command if flag.startswith("--allowed-hosts="))
    assert hosts == ["mlflow:5000", "localhost:5000", "127.0.0.1:5000"]
    assert SERVICES["sweep"]["environment"]["MLFLOW_TRACKING_URI"] == f"http://{hosts[0]}"
    assert f"http://{hosts[0]}" in SERVICES["mlflow"]["healthcheck"]["test"]
    assert "--artifacts-destination=/mlartifacts" in command
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_jobs_wait_for_what_they_need() -> None:
    """Jobs do not start with ``up``, and start only when the stores answer."""
    for name in ("sweep", "sweeper"):
        assert SERVICES[name]["profiles"] == ["job"]
        assert {service: wait["condition"] for service, wait in SERVICES[name]["depends_on"].items()} | {
            "ray-worker": "service_started"
        } == {
            "postgres": "service_healthy",
            "mlflow": "service_healthy",
            "ray-worker": "service_started",
        }


def test_the_image_gets_only_what_it_needs() -> None:
    """What is copied is exactly what the ignore file lets through, so that no secret or run can be baked in."""
    dockerfile = (DOCKER / "Dockerfile").read_text()
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    copied = {word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for word in words.split()}
    assert ignore[0] == "*"
    assert copied == {line[1:] for line in ignore if line.startswith("!")}
    assert all((DOCKER.parent / path).exists() for path in copied)


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """A script, with these variables added."""
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """Each secret that compose mounts is made with 256 bits, in a directory closed to others, and is kept the second time."""
    script = shutil.copy(DOCKER / "make-secrets.sh", tmp_path)
    assert run(["sh", str(script)]).returncode == 0
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert all(re.fullmatch("[0-9a-f]{64}", secret) for secret in made.values())
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    again = run(["sh", str(script)])
    assert (again.returncode, again.stdout) == (0, "")
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_entrypoint_hands_the_password_to_libpq(tmp_path: Path) -> None:
    """The password ends in a file that only the user reads, named by PGPASSFILE; the command's own files are not restricted."""
    (tmp_path / "secret").write_text("0123abcd")
    done = run(
        ["sh", str(DOCKER / "entrypoint.sh"), "sh", "-c", 'cat "$PGPASSFILE"; stat -c %a "$PGPASSFILE"; umask'],
        DB_PASSWORD_FILE=str(tmp_path / "secret"),
        HOME=str(tmp_path),
    )
    assert done.stdout.splitlines()[:2] == ["*:*:*:*:0123abcd", "600"]
    assert done.stdout.splitlines()[2] != "0077"


def test_entrypoint_passes_arguments_and_exit_codes_on(tmp_path: Path) -> None:
    """Without a password it only runs the command, word for word; a missing secret stops it."""
    assert run(["sh", str(DOCKER / "entrypoint.sh"), "printf", "%s|", "a b", "*"]).stdout == "a b|*|"
    assert run(["sh", str(DOCKER / "entrypoint.sh"), "sh", "-c", "exit 3"]).returncode == 3
    lost = run(["sh", str(DOCKER / "entrypoint.sh"), "echo", "ran"], DB_PASSWORD_FILE=str(tmp_path / "none"), HOME=str(tmp_path))
    assert (lost.returncode != 0, lost.stdout) == (True, "")


def test_a_sweep_joins_the_cluster_first(tmp_path: Path) -> None:
    """The job's node offers no CPU; what Ray prints stays off stdout, which ``--json`` needs for itself."""
    (tmp_path / "ray").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "ray").chmod(0o755)
    done = run(["sh", str(DOCKER / "join-ray.sh"), "echo", "swept"], RAY_ADDRESS="head:6379", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.stdout == "swept\n"
    assert done.stderr == "start --address=head:6379 --num-cpus=0 --num-gpus=0 --object-store-memory=500000000 --disable-usage-stats\n"


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    """An HTTP server that answers every POST alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing on stderr."""

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.mark.parametrize(
    ("status", "body", "healthy"), [(200, b'{"experiments": []}', True), (200, b"{}", False), (403, b"", False), (503, b"", False)]
)
def test_mlflow_is_healthy_when_a_search_is_answered(status: int, body: bytes, healthy: bool) -> None:
    """The check passes on the answer to a search and on nothing else."""
    with server(status, body) as url:
        assert (run([sys.executable, str(DOCKER / "mlflow_healthcheck.py"), url]).returncode == 0) is healthy
