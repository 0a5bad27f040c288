"""The Ray runner: Ray Tune places, watches and restarts worker sessions; the desk decides what they train.

A Tune trial is a *worker session*, not a trial of the sweep: stock Tune pays seconds of process start per trial, a
session trains leases until none is left. Tune's own state is scrap: what is open stands in the ledger, and a ``fit``
that ends early is started again.

Importing this package loads no Ray. It makes the garbage collector look seldom: workers import it before Tune and torch, whose
imports take a fifth longer when every 700 new objects are looked at.
"""

import gc

from sweeper.runners.ray_tune.cluster import Cluster
from sweeper.runners.ray_tune.run import run

__all__ = ["Cluster", "run"]

gc.set_threshold(100_000)
