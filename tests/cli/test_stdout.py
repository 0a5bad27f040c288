"""One JSON object on standard output, whoever else prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.cli.stdout import kept

from .conftest import Run

SPACE = """\
name: loud
data: {source: loud_code:data}
model: {family: custom, path: loud_code:Net}
training: {epochs: 1, batch_size: 8}
"""

CODE = """
import numpy as np
from torch import nn

print("imported")

def data():
    print("loaded")
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    return rng.normal(size=(80, 3)) + y[:, None], y

class Net(nn.Linear):
    def __init__(self, input_shape, outputs):
        super().__init__(*input_shape, outputs)
    def forward(self, x):
        print("forward")
        return super().forward(x)
"""


@pytest.mark.parametrize("wanted", [True, False])
def test_all_that_is_printed_goes_to_stderr(capfd: pytest.CaptureFixture[str], wanted: bool) -> None:
    """From Python, past it, and from a process; afterwards, stdout is what it was."""
    with kept(wanted):
        print("python ", end="", flush=True)
        os.write(1, b"library ")
        subprocess.run([sys.executable, "-c", "print('process', end='')"], check=True)
    print(" object")
    told = "python library process"
    assert tuple(capfd.readouterr()) == ((" object\n", told) if wanted else (f"{told} object\n", ""))


def test_a_users_code_may_print(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is all that a program reads."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (home / "loud_code.py").write_text(CODE)
    (home / "loud.yaml").write_text(SPACE)
    done = run("check", "loud.yaml", "--json")
    assert json.loads(done.out)["space"] == "loud"
    assert {"imported", "loaded", "forward"} <= set(done.err.split("\n"))
