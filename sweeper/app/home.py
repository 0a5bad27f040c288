"""Where everything of a user's lives: runs, ledger, MLflow store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The places of one installation.

    ``SWEEPER_HOME`` moves all of them (default: the current directory); ``SWEEPER_LEDGER_URL`` and ``MLFLOW_TRACKING_URI`` replace
    the SQLite files with servers.

    Attributes:
        root: holds ``runs/``, ``mlflow.db`` and ``mlartifacts/``.
        ledger_url: SQLAlchemy URL; may hold a password, so it is never printed.
        tracking_uri: MLflow's; may hold a password, so it is never printed.
    """

    root: Path
    ledger_url: str
    tracking_uri: str

    @classmethod
    def from_environment(cls) -> Home:
        """Read the environment; nothing is created."""
        root = Path(os.environ.get("SWEEPER_HOME", ".")).absolute()
        return cls(
            root=root,
            ledger_url=os.environ.get("SWEEPER_LEDGER_URL") or f"sqlite:///{root / 'runs' / 'ledger.db'}",
            tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}",
        )

    @property
    def runs(self) -> Path:
        """Holds one folder per sweep, ``train/`` and the default ledger."""
        return self.root / "runs"

    @property
    def artifacts(self) -> Path:
        """Artifacts of a local MLflow store; a server keeps its own."""
        return self.root / "mlartifacts"

    def sweep_dir(self, sweep: str) -> Path:
        """All files that a sweep owns."""
        return self.runs / sweep

    def shown(self, path: Path) -> str:
        """The path as a user would type it here."""
        here = Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
