"""The main job, end to end, in this order of trust: it works, it works again, it gives the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import sweeper as library
from sweeper.app.sweep import Request, sweep
from sweeper.errors import InputError
from sweeper.ledger.store import Ledger
from sweeper.runners.ray_tune import Cluster
from sweeper.trial import Outcome

from .driving import TINY, ledger_of, sweeper, told, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _decisions(ledger: Ledger) -> list[tuple[object, ...]]:
    """What was decided, trial by trial, without times."""
    return [
        (r.number, r.trial.seed, dict(r.trial.values), r.outcome, r.reason, r.best_value, r.best_epoch, r.epochs, r.closed_order)
        for r in ledger.trials("tiny")
    ]


def test_the_main_job_in_one_process(home: Path) -> None:
    """A space becomes a winner, model and file; it is shown again; more trials extend it; fsck finds nothing; rm leaves nothing."""
    space = write(home)
    first = sweeper("sweep", space, "--runner", "local", "--json")
    assert first.returncode == 0, first.stderr
    report = told(first)
    assert report["trials"] == {
        "target": 8,
        "complete": report["trials"]["complete"],
        "pruned": 8 - report["trials"]["complete"],
        "diverged": 0,
        "failed": 0,
        "cancelled": 0,
        "open": 0,
    }
    assert report["test"]["touches"] == 1
    assert report["tracking_pending"] == 0
    assert {path.name for path in (home / "runs" / "tiny" / "model").iterdir()} >= {
        "model.safetensors",
        "checkpoint.json",
        "config.yaml",
        "preprocessing.json",
    }

    config = library.load_config(home / "runs" / "tiny" / "best.yaml")
    assert config.provenance is not None
    assert config.provenance["value"] == report["winner"]["value"]
    result = library.train(config)
    assert result.reproduced is True
    assert result.metrics["val_loss"] == report["winner"]["value"]

    assert sweeper("best", "tiny").stdout == (home / "runs" / "tiny" / "best.yaml").read_text()
    again = sweeper("sweep", space, "--json")
    assert again.returncode == 0
    assert told(again)["winner"] == report["winner"]

    leftover = home / "runs" / "tiny" / "checkpoints" / "3.unfinished"
    leftover.mkdir()
    more = sweeper("sweep", space, "--runner", "local", "--trials", "10", "--json")
    assert more.returncode == 0
    assert not leftover.exists()
    assert told(more)["trials"]["target"] == 10
    checked = sweeper("fsck", "--json")
    assert (checked.returncode, told(checked)["violations"]) == (0, [])

    assert sweeper("cancel", "tiny").returncode == 2  # it is over
    assert sweeper("rm", "tiny").returncode == 0
    assert not (home / "runs" / "tiny").exists()
    assert ledger_of(home).sweeps() == []


def test_runners_decide_alike(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With one worker, Ray and the in-process runner make the same decisions, under TPE and ASHA."""
    space = write(home)
    options = ("--set", "search.sampler=tpe", "--set", "resources.workers=1", "--set", "training.engine=plain", "--json")
    other = tmp_path_factory.mktemp("ray")
    alone = sweeper("sweep", space, "--runner", "local", *options)
    assert alone.returncode == 0, alone.stderr
    on_ray = sweeper("sweep", space, "--runner", "ray", *options, SWEEPER_HOME=str(other))
    assert on_ray.returncode == 0, on_ray.stderr
    decisions = _decisions(ledger_of(home))
    assert _decisions(ledger_of(other)) == decisions
    assert {outcome for _, _, _, outcome, *_ in decisions} == {Outcome.COMPLETE, Outcome.PRUNED}


def test_bad_data_of_ones_own_is_told_before_ray_starts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read and checked first; nothing was entered that would have to be stopped."""
    entered: list[Cluster] = []
    monkeypatch.setattr(Cluster, "__enter__", entered.append)
    (home / "rows.csv").write_text("a,b\n1,2\n")
    space = write(home, TINY.replace("source: digits", "source: rows.csv, target: c"))
    with pytest.raises(InputError, match="rows"):
        sweep(Request(str(space)), print, print)
    assert entered == []


def test_a_space_that_does_not_fit_built_in_data_leaves_nothing(home: Path) -> None:
    """Ray has begun to start by then; it is stopped again."""
    done = sweeper("sweep", write(home), "--set", "training.batch_size=5000")
    assert (done.returncode, done.stdout) == (2, "")
    assert "batches of 5000 rows" in done.stderr
    assert [path.name for path in home.iterdir()] == ["tiny.yaml"]


def test_the_range_test_beside_the_sweep(home: Path) -> None:
    """`lr-range` judges the curve, draws it, and is recorded in MLflow; `train` is recorded there too."""
    space = write(home)
    done = sweeper("lr-range", space, "--json", "--set", "model.width=64")
    assert done.returncode == 0, done.stderr
    report = told(done)
    assert report["status"] == "ok"
    assert report["bracket"][0] < report["suggestion"] < report["bracket"][1]
    assert report["tracking_trouble"] is None
    assert {path.name for path in (home / "runs" / "tiny" / "lr_range").iterdir()} == {"result.json", "lr_range.png", "lr_range.html"}

    (home / "one.yaml").write_text("name: one\ntraining: {epochs: 2}\n")
    job = sweeper("train", home / "one.yaml", "--json")
    assert job.returncode == 0, job.stderr
    assert told(job)["tracking_trouble"] is None
    assert (home / "runs" / "train" / "one-1" / "model" / "model.safetensors").is_file()
