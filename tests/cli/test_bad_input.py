"""Bad input through the command: one clear message each, all at once, exit code 2, and nothing has been created."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .conftest import Run

GOOD = """\
name: tiny
data: {source: table.csv, target: label}
model: {family: mlp, width: {choice: [8, 16]}}
training: {epochs: 2, batch_size: 8}
search: {trials: 2}
"""

RAISING = """
from torch import nn

class Net(nn.Linear):
    def __init__(self, input_shape, outputs):
        super().__init__(*input_shape, outputs)
    def forward(self, x):
        if self.training:
            raise ValueError("no such luck")
        return super().forward(x)
"""

TABLE = "a,b,label\n" + "".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}\n" for i in range(60))


@pytest.fixture(autouse=True)
def _nothing_is_created(home: Path) -> Iterator[None]:
    """A table and a space that are fine; after the test, nothing else may be there."""
    (home / "table.csv").write_text(TABLE)
    (home / "tiny.yaml").write_text(GOOD)
    before = {path.name for path in home.iterdir()}
    yield
    created = {path.name for path in home.iterdir()} - before
    assert not created & {"runs", "mlflow.db", "mlartifacts"}


@pytest.mark.parametrize("command", [["train"], ["lr-range", "--no-probe"]], ids=["train", "lr-range"])
def test_a_model_that_raises_in_training_is_told_with_its_line(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """It passed the look at two rows, which is in evaluation mode."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (home / "raising_nets.py").write_text(RAISING)
    (home / "own.yaml").write_text("name: own\ndata: {source: wine}\nmodel: {family: custom, path: raising_nets:Net}\n")
    done = run(*command, "own.yaml")
    assert done.code == 2
    assert re.fullmatch(
        r"sweeper: own\.yaml  model\.path  raising_nets:Net failed in training: ValueError: no such luck \(.*raising_nets\.py:9\)\n",
        done.err,
    )


SPACES = {
    "a typo in a key": (GOOD.replace("width", "widht"), r"tiny\.yaml:3:\d+ .*widht.*width"),
    "a tab": (GOOD.replace("model:", "\tmodel:"), r"tiny\.yaml:3:1 .*tab"),
    "an unclosed bracket": (GOOD.replace("[8, 16]", "[8, 16"), r"tiny\.yaml:\d+:\d+"),
    "two documents": (GOOD + "---\nname: b\n", r"tiny\.yaml:6:\d+ .*document"),
    "a duplicate key": (GOOD + "name: b\n", r"tiny\.yaml:6:1 .*name.*(line 1|1:1|tiny\.yaml:1)"),
    "a tag": (GOOD.replace("tiny", "!!python/name:os.system x"), r"tiny\.yaml:1:\d+ .*tag"),
    "an empty file": ("", r"tiny\.yaml.*empty"),
    "a list": ("- a\n", r"tiny\.yaml:1:1"),
    "a number that is octal elsewhere": (GOOD.replace("epochs: 2", "epochs: 010"), r"tiny\.yaml:4:\d+ .*010"),
    "trials 1.5": (GOOD.replace("trials: 2", "trials: 1.5"), r"tiny\.yaml:5:\d+ .*search\.trials.*1\.5.*whole number"),
    "trials 1e9": (GOOD.replace("trials: 2", "trials: 1e9"), r"tiny\.yaml:5:\d+ .*search\.trials"),
    "an unknown distribution": (GOOD.replace("choice", "choise"), r"tiny\.yaml:3:\d+ .*choise.*choice"),
    "bounds in the wrong order": (GOOD.replace("{choice: [8, 16]}", "{int: [16, 8]}"), r"tiny\.yaml:3:\d+ .*model\.width.*16"),
    "a metric of another task": (GOOD.replace("trials: 2", "metric: val_mae"), r"tiny\.yaml:5:\d+ .*search\.metric.*val_accuracy"),
    "grace beyond the end": (GOOD.replace("trials: 2", "grace_epochs: 9"), r"tiny\.yaml:5:\d+ .*grace_epochs"),
    "a bad name": (GOOD.replace("tiny", "Tiny/.."), r"tiny\.yaml:1:\d+ .*name"),
    "a batch larger than the data": (GOOD.replace("batch_size: 8", "batch_size: 512"), r"tiny\.yaml:4:\d+ .*training\.batch_size.*512.*36"),
    "more batches per step than there are": (
        GOOD.replace("batch_size: 8", "batch_size: 8, accumulate: 6"),
        r"tiny\.yaml:4:\d+ .*training\.accumulate.*6 batches per step.*1 to 5",
    ),
    "a flip of a table": (
        GOOD + "augment: {flip: {uniform: [0.0, 0.5]}, noise: 0.1}\n",
        r"tiny\.yaml:6:\d+ .*augment\.flip.*0\.5 is for images.*mixup, noise",
    ),
    "a cnn on a table": (GOOD.replace("family: mlp, width: {choice: [8, 16]}", "family: cnn"), r"tiny\.yaml:3:\d+ .*model\.family.*images"),
    "an rnn on a table": (
        GOOD.replace("family: mlp, width: {choice: [8, 16]}", "family: rnn"),
        r"tiny\.yaml:3:\d+ .*model\.family.*series or images or text.*allowed: mlp",
    ),
    "heads that do not divide the width": (
        GOOD.replace("family: mlp, width: {choice: [8, 16]}", "family: transformer, width: {choice: [8, 12]}, heads: 8"),
        r"tiny\.yaml:3:\d+ .*model\.heads.*heads 8 with width 12.*a divisor of the width",
    ),
    "a custom model without a path": (
        GOOD.replace("family: mlp, width: {choice: [8, 16]}", "family: custom"),
        r"tiny\.yaml:3:\d+ .*model\.path.*path is missing.*my_nets:build",
    ),
    "a module that is not there": (
        GOOD.replace("family: mlp, width: {choice: [8, 16]}", "family: custom, path: absent_nets:build"),
        r"tiny\.yaml:3:\d+ .*model\.path.*no module 'absent_nets'.*looked in",
    ),
    "a file that is not there": (GOOD.replace("table.csv", "tabel.csv"), r"tiny\.yaml:2:\d+ .*data\.source.*table\.csv"),
    "a target that is no column": (GOOD.replace("target: label", "target: lable"), r"tiny\.yaml:2:\d+ .*data\.target.*label"),
    "more workers than CPUs": (GOOD + "resources: {workers: 5000}\n", r"tiny\.yaml:6:\d+ .*resources\.workers.*5000"),
}


@pytest.mark.parametrize("case", SPACES)
def test_a_bad_space(case: str, run: Run, home: Path) -> None:
    """Each mistake is told with file, line and column, what was found and what is allowed."""
    text, pattern = SPACES[case]
    (home / "tiny.yaml").write_text(text)
    code, _, said = run("sweep", "tiny.yaml", "--runner", "local")
    assert code == 2
    assert re.search(pattern, said), said
    assert "Traceback" not in said


def test_all_mistakes_at_once(run: Run, home: Path) -> None:
    """Three mistakes are three lines, in the order of the file."""
    (home / "tiny.yaml").write_text(GOOD.replace("width", "widht").replace("epochs: 2", "epochs: 0").replace("trials: 2", "trials: -1"))
    code, _, said = run("sweep", "tiny.yaml")
    assert code == 2
    assert [int(found) for found in re.findall(r"tiny\.yaml:(\d+):", said)] == [3, 4, 5]


TABLES = {
    "missing labels": (TABLE.replace("yes", "", 1), r"label"),
    "constant labels": (TABLE.replace("no\n", "yes\n"), r"label.*every row"),
    "infinite numbers": (TABLE.replace("0,0,", "inf,0,"), r"\ba\b"),
    "an empty table": ("a,b,label\n", r"no rows|empty"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_bad_table(case: str, run: Run, home: Path) -> None:
    """Data that cannot be learnt from is refused with the column and the reason."""
    text, pattern = TABLES[case]
    (home / "table.csv").write_text(text)
    code, _, said = run("sweep", "tiny.yaml", "--runner", "local")
    assert code == 2
    assert re.search(pattern, said), said
    assert "Traceback" not in said


def test_objects_in_an_npz_are_not_loaded(run: Run, home: Path) -> None:
    """An array of Python objects would have to be unpickled: refused."""
    np.savez(home / "table.npz", x=np.array([{}] * 60, dtype=object), y=np.arange(60) % 2)
    (home / "tiny.yaml").write_text(GOOD.replace("table.csv, target: label", "table.npz"))
    code, _, said = run("sweep", "tiny.yaml")
    assert code == 2
    assert "object" in said


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("sweep", "tinyy"), r"tinyy"),
        (("sweep", "mlp; rm -rf x"), r"mlp; rm -rf x"),
        (("sweep", "."), r"directory|folder"),
        (("sweep", "tiny.yaml", "--name", "../x"), r"is not a name"),
        (("sweep", "tiny.yaml", "--set", "model.widht=3"), r"--set model\.widht=3.*width"),
        (("sweep", "tiny.yaml", "--trials", "0"), r"search\.trials.*0"),
        (("train", "tiny.yaml"), r"space.*sweeper sweep"),
        (("train", "nothing.yaml"), r"nothing\.yaml"),
        (("show", "tiny"), r"no sweep"),
        (("best", "tiny"), r"no sweep"),
        (("cancel", "tiny"), r"no sweep"),
        (("rm", "tiny"), r"no sweep"),
        (("fsck", "tiny"), r"no sweep"),
        (("lr-range", "tiny.yaml", "--low", "1", "--high", "0.1"), r"low"),
        (("lr-range", "tiny.yaml", "--optimizers", "adamw,sdg"), r'--optimizers.*did you mean "sgd"'),
        (("lr-range", "tiny.yaml", "--batch-sizes", "16,100000"), r"--batch-sizes.*100000"),
        (("lr-range", "tiny.yaml", "--probe-steps", "10"), r"steps.*25 or more"),
        (("lr-range", "tiny.yaml", "--no-probe", "--probe-steps", "50"), r"probe_steps.*no probe"),
        (("lr-range", "tiny.yaml", "--no-probe", "--metric", "val_loss"), r"--metric.*--no-probe"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], pattern: str, run: Run) -> None:
    """A wrong argument is told by its name."""
    code, _, said = run(*arguments)
    assert code == 2
    assert re.search(pattern, said), said
    assert "Traceback" not in said


def test_a_password_is_never_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that cannot be reached is told without the password of its URL."""
    monkeypatch.setenv("SWEEPER_LEDGER_URL", "postgresql+psycopg://me:s3cr3t@127.0.0.1:9/none")
    code, _, said = run("sweep", "tiny.yaml", "--runner", "local")
    assert code in {2, 4}
    assert "s3cr3t" not in said


def test_a_home_that_cannot_be_written(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home in which no folder can be made is one sentence with the path, and the exit code of infrastructure."""
    (home / "tiny.yaml").write_text(GOOD.replace("{choice: [8, 16]}", "8"))
    monkeypatch.setenv("SWEEPER_HOME", str(home / "table.csv"))
    code, _, said = run("train", "tiny.yaml")
    assert (code, said) == (4, f"sweeper: could not make {home}/table.csv/runs/train/tiny-1: Not a directory\n")
