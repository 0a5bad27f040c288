"""Every benchmark still runs: the smallest case of those that run in this process, the options of all; nothing is written to results."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import core_speed, lanes, lr_auto, lr_range, monitoring, overhead, results, search_quality, shapes_quality, shipped_spaces
from benchmarks import streaming as reading
from benchmarks.__main__ import benchmarks
from benchmarks.quality.runs import REFERENCE, Runs
from benchmarks.quality.trace import Trace
from benchmarks.ranges.problems import Problem
from benchmarks.ranges.quadratic import Quadratic

NET = lanes.mlp(8, 8, 1, 2, 64)
SETTING = results.setting()
TRIALS = "4"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Results, the number of threads and the handler of SIGTERM."""
    before = {file: file.stat().st_mtime_ns for file in results.FOLDER.iterdir()}
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)
    yield
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, handler)
    assert {file: file.stat().st_mtime_ns for file in results.FOLDER.iterdir()} == before


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows in place of those of digits."""
    monkeypatch.setattr(lanes, "TRAIN", 256)
    monkeypatch.setattr(lanes, "VAL", 64)


@pytest.mark.parametrize("name", benchmarks())
def test_options_are_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each can be imported and says what it takes."""
    with pytest.raises(SystemExit) as ended:
        import_module(f"benchmarks.{name}").main(["--help"])
    assert ended.value.code == 0
    assert f"usage: {name} [-h]" in capsys.readouterr().out


@pytest.mark.usefixtures("few")
def test_lanes() -> None:
    """A net by the plain loop, by both engines and by what is chosen."""
    row = lanes.measure(NET, torch.device("cpu"), 1, "fp32")
    assert set(row["seconds"]) >= {"stock", "plain", "1", row["chosen"]}
    assert NET.name in lanes.page({**SETTING, "device": "cpu", "precision": "fp32", "repeats": 1, "rows": [row]})


def test_core_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-written loop and the core, two turns of an epoch."""
    monkeypatch.setattr(core_speed, "find_spec", lambda _: None)
    row = core_speed.measure(core_speed.NETS[0], 2, 1)
    assert set(row["processor_seconds"]) == {"hand", "core"}
    assert core_speed.NETS[0].name in core_speed.page({**SETTING, "repeats": 2, "epochs": 1, "rows": [row]})


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("engine", "count"), [("plain", 1), ("stacked", 2)])
def test_monitoring(engine: Any, count: int) -> None:
    """The fewest turns."""
    row = monitoring.measure(NET, engine, count, 0.0)
    assert row["turns"] == 20
    assert NET.name in monitoring.page({**SETTING, "rows": [row]})


def test_overhead() -> None:
    """Twenty trials, of which nearly all go on to the end, or few."""
    full, halved = (overhead.measured(overhead.Case("random", 20, 8, kind)) for kind in ("full", "halved"))
    assert 2 < halved["reports_per_trial"] < full["reports_per_trial"] <= 20
    assert "| random | 8 | halved | 20 |" in overhead.page({**SETTING, "repeats": 1, "cases": [full, halved], "failures": []})


def test_lr_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One small quadratic, recorded and read by every rule."""
    problem = Problem("quadratic 10/sgd", False, {"name": "sgd", "momentum": 0.0}, Quadratic(4, 10.0, 0.1, 4))
    monkeypatch.setattr(lr_range, "problems", lambda: [problem])
    lr_range.main(["--scratch", str(tmp_path), "--print-only"])
    assert lr_range.OURS in capsys.readouterr().out
    assert list(tmp_path.iterdir())


def test_streaming() -> None:
    """A small array from memory and from its file."""
    case = reading.Case("tiny", 200, (8,), False, {"family": "mlp", "width": 8})
    row = reading.measure(case, 1, [0])
    assert "tiny" in reading.page({**SETTING, "repeats": 1, "rows": [row]})


def test_lr_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two arms of two trials, one of them with range tests."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(results, "write", lambda *_: None)
    monkeypatch.setattr(lr_auto, "ARMS", {arm: lr_auto.ARMS[arm] for arm in ("auto", "shipped")})
    monkeypatch.setattr(lr_auto, "SAMPLERS", ("random",))
    lr_auto.main(["--trials", "2", "--epochs", "1", "--seeds", "1"])
    assert "| random | auto |" in capsys.readouterr().out


def made_before(folder: Path, arms: list[str]) -> None:
    """Searches of two seeds, as they are kept."""
    for seed in (0, 1):
        for place, arm in enumerate(arms):
            best = {number: 1 / (1 + number + seed + place) for number in range(int(TRIALS))}
            last = (3.0, best[3])
            trace = Trace("spirals", seed, arm, 1.0, 3.0, [(1.0, best[0]), last], [last], best, {"complete": 4}, 8)
            trace.save(Runs(folder, int(TRIALS)).path("spirals", seed, arm))


def test_shapes_quality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was searched before is compared."""
    made_before(tmp_path, ["random-none-auto", "random-none-trials"])
    chosen = ["--samplers", "random", "--pruners", "none", "--trials", TRIALS]
    shapes_quality.main(["--tasks", "spirals", "--seeds", "0", "1", *chosen, "--scratch", str(tmp_path), "--print-only"])
    assert "| random | none | 4 | 2 |" in capsys.readouterr().out


def test_search_quality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was searched before is compared, and drawn."""
    made_before(tmp_path, [REFERENCE, "sweeper"])
    chosen = ["--arms", "sweeper", "--trials", TRIALS, "--scratch", str(tmp_path), "--print-only"]
    search_quality.main(["--tasks", "spirals", "--seeds", "0", "1", *chosen])
    assert "sweeper's default | 100% of 2" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.png"))) == 1


@pytest.mark.slow
def test_a_search(tmp_path: Path) -> None:
    """Two trials by the processes that every arm of the searches' quality has, one by one as the reference trains them."""
    trace = Runs(tmp_path, 2).made("spirals", 0, REFERENCE)
    assert trace.trials == len(trace.best) == 2


def test_shipped_spaces() -> None:
    """Winners and baselines of some splits, paired."""
    runs = [
        {
            "space": "tabular",
            "baseline": "a linear model",
            "split": split,
            "trials": 4,
            "complete": 4,
            "score": "accuracy",
            "processor_seconds": 1.0,
            **dict.fromkeys(("val", "test"), (0.9 + split / 1000, 0.8)),
            **dict.fromkeys(("val_loss", "test_loss"), (0.3, 0.4)),
        }
        for split in (0, 10, 12)
    ]
    told = shipped_spaces.page({**SETTING, "runs": runs})
    assert "+0.111 (+0.098 to +0.124): ahead | 2 of 2" in told
    assert told.count("| tabular |") == 4
