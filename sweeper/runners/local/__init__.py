"""Training on this machine without Ray: in this process, and in others beside it."""

from sweeper.runners.local.helpers import Helpers
from sweeper.runners.local.here import run

__all__ = ["Helpers", "run"]
