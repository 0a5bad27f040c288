"""`sweeper check`, and the look that opens every new sweep."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import Run

SPACE = """\
name: tiny
data: {source: table.csv, target: y}
model: {family: mlp, width: {choice: [8, 16]}}
optimizer: {name: adamw, lr: {log: [1e-3, 1e-1]}}
training: {epochs: 2, batch_size: 8}
search: {trials: 2, sampler: random}
"""


@pytest.fixture
def table(home: Path) -> pd.DataFrame:
    """Two classes that a line parts, and a space for them."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    found["y"] = np.where(found["a"] + found["b"] > 0, "yes", "no")
    found.to_csv(home / "table.csv", index=False)
    (home / "tiny.yaml").write_text(SPACE)
    return found


@pytest.mark.usefixtures("table")
def test_a_sound_space(run: Run, home: Path) -> None:
    """Every row has a verdict and a sentence; the page holds them all, the samples by column, and nothing that must be fetched."""
    done = run("check", "tiny.yaml", "--json")
    assert done.code == 0, done.out
    told = json.loads(done.out)
    assert (told["space"], told["status"]) == ("tiny", "pass")
    assert {"parameters", "split", "labels fit inputs", "seeds", "initial loss", "overfit 10 examples", "memory", "time"} <= {
        row["check"] for row in told["rows"]
    }
    assert all(row["sentence"] for row in told["rows"])
    page = Path(told["page"]).read_text()
    assert Path(told["page"]) == home / "runs" / "tiny" / "check.html"
    assert page.count('<span class="mark pass">') == len(told["rows"])
    assert "<th>a</th><th>b</th><th>c</th>" in page
    assert "data:image/png;base64," in page
    assert not re.search(r"https?://|<script|<link", page)


def test_a_leaked_split(run: Run, home: Path, table: pd.DataFrame) -> None:
    """Rows that stand twice in the file: `check` fails and trains nothing on them; `sweep` creates nothing, unless told to."""
    pd.concat([table, table]).to_csv(home / "table.csv", index=False)
    done = run("check", "tiny.yaml", "--set", "data.scale=none")
    assert done.code == 2
    assert re.search(r"fail split .*% of", done.out)
    assert "what to do: remove repeated rows" in done.out
    assert "overfit" not in done.out
    assert "runs/tiny/check.html" in done.out
    (home / "runs" / "tiny" / "check.html").unlink()
    (home / "runs" / "tiny").rmdir()
    (home / "runs").rmdir()

    done = run("sweep", "tiny.yaml", "--runner", "local")
    assert done.code == 2
    assert re.match(r"sweeper: tiny\.yaml:2:\d+  data\.split  split: .*--no-check", done.err)
    assert {path.name for path in home.iterdir()} == {"table.csv", "tiny.yaml"}


def test_a_sweep_warns_and_goes_on(home: Path, table: pd.DataFrame) -> None:
    """Shuffled labels and a dead parameter are told as warnings; without a failure nothing is raised."""
    from sweeper.app.check import first_look
    from sweeper.app.checks import prepared
    from sweeper.config.space import Space

    table["y"] = np.random.default_rng(1).permutation(table["y"])
    table.to_csv(home / "table.csv", index=False)
    (home / "tiny.yaml").write_text(SPACE.replace("[8, 16]", "[8, 16], when: {model.norm: layer}"))
    space = Space.load(home / "tiny.yaml")
    told: list[str] = []
    first_look(space, prepared(space), told.append)
    assert [line.split(":")[1].strip() for line in told] == ["parameters", "labels fit inputs"]
    assert "no config ever draws model.width" in told[0]


def test_the_look_before_a_sweep_needs_no_torch() -> None:
    """The driver of a Ray sweep does not import torch before its trials run, and the look does not either."""
    import subprocess
    import sys

    code = """
import sys
from sweeper.app.check import first_look
from sweeper.app.checks import prepared
from sweeper.config.space import Space
space = Space.parse("name: s\\ndata: {source: wine}\\ntraining: {batch_size: 32}\\n", "s.yaml")
first_look(space, prepared(space), print)
print([name for name in ("torch", "optuna", "ray", "mlflow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
