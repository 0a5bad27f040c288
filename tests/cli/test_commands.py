"""Commands that look and tell, and create nothing."""

from __future__ import annotations

import json
from pathlib import Path

from sweeper import __version__

from .conftest import Run


def test_plan_tells_parameters_rungs_and_first_configs(run: Run, home: Path) -> None:
    """`plan` names what is drawn, when trials are pruned, and the first configs, of which the first is the default."""
    done = run("plan", "mlp")
    assert done.code == 0
    assert "create a sweep of 64 trials of at most 30 epochs" in done.out
    assert "pruned at epochs 4, 12" in done.out
    assert "optimizer.sgd.momentum" in done.out
    assert list(home.iterdir()) == []


def test_plan_says_that_a_range_test_comes_first(run: Run) -> None:
    """Nobody knows the learning rates yet."""
    done = run("plan", "mlp", "--set", "optimizer.lr=auto")
    assert "optimizer.adamw.lr=auto" in done.out
    assert "optimizer.sgd.lr" in done.out
    assert "auto: a range test of 3 models comes before the first trial" in done.out


def test_plan_tells_of_processes(run: Run) -> None:
    """What each trial takes, where that is more than one process."""
    done = run("plan", "mlp", "--set", "resources.processes=2", "--set", "resources.sharding=fsdp")
    assert "each trial is trained by 2 processes, each with 1 CPU and a part of the model" in done.out


def test_plan_as_json(run: Run) -> None:
    """`plan --json` prints one object and nothing else."""
    tree = json.loads(run("plan", "mlp", "--trials", "3", "--set", "search.sampler=random", "--json").out)
    assert (tree["sweep"], tree["action"], tree["trials"]) == ("mlp", "create", 3)
    assert tree["first"][0]["model.width"] == 128
    assert len(tree["first"]) == 3


def test_list_of_nothing(run: Run, home: Path) -> None:
    """Without any sweep, `list` says how to start one and creates no ledger."""
    done = run("list")
    assert done.code == 0
    assert "No sweeps yet" in done.out
    assert json.loads(run("list", "--json").out) == []
    assert list(home.iterdir()) == []


def test_fsck_of_nothing(run: Run, home: Path) -> None:
    """Nothing is there, so nothing is wrong."""
    assert run("fsck").code == 0
    assert list(home.iterdir()) == []


def test_version(run: Run) -> None:
    """`--version` names the package's version."""
    assert run("--version").out.strip() == f"sweeper {__version__}"
