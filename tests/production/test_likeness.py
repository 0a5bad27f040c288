"""A custom model is known again, or refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Config
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.production.model import export, load_model
from sweeper.production.train import train

CODE = """
import random
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.output, self.seen = nn.Linear(64, outputs), 0
    def forward(self, x):
        self.seen += self.training
        return {LINE}
"""
FORWARD = "self.output(x.flatten(1))"

Write = Callable[[str], Config]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Writes the module, with this as what ``forward`` returns, over what was there; the config of a short training."""
    path = list(sys.path)

    def written(line: str) -> Config:
        sys.modules.pop("likely_nets", None)
        (tmp_path / "likely_nets.py").write_text(CODE.replace("{LINE}", line) + f"# {len(line)}\n")
        model = {"family": "custom", "path": "likely_nets:Net", "folder": str(tmp_path)}
        return config_from_tree({"name": "own", "model": model, "training": {"epochs": 1}, "optimizer": {"name": "adamw", "lr": 0.01}})

    yield written
    sys.path[:] = path
    sys.modules.pop("likely_nets", None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("self.output(-x.flatten(1))", "it gives other outputs than when it was exported"),
        ("self.output(x.flatten(1)[:, :32])", "on two rows of shape [1, 8, 8] failed"),
    ],
    ids=["other outputs", "broken"],
)
def test_a_model_whose_code_was_edited_is_refused(write: Write, data: Dataset, tmp_path: Path, line: str, words: str) -> None:
    """Its weights fit all the same, and its predictions would be wrong without a word."""
    train(write(FORWARD), out=tmp_path, data=data)
    assert load_model(tmp_path).predict(data.val.x[:3]).shape == (3,)
    write(line)
    with pytest.raises(InputError) as caught:
        load_model(tmp_path)
    (problem,) = caught.value.problems
    assert problem.path == "model.path"
    assert words in problem.found
    write(f"({FORWARD})")  # other words for the same
    load_model(tmp_path)


def test_a_model_whose_tensors_are_others_is_refused(write: Write, data: Dataset, tmp_path: Path) -> None:
    """In one line."""
    train(write(FORWARD), out=tmp_path, data=data)
    write(FORWARD)
    module = tmp_path / "likely_nets.py"
    module.write_text(module.read_text().replace("(64, outputs)", "(64, outputs, bias=False)"))
    with pytest.raises(InputError, match=r"is not the model that was trained: .*output\.bias.*put the code back"):
        load_model(tmp_path)


def test_an_edit_between_training_and_export_is_found(write: Write, data: Dataset, tmp_path: Path) -> None:
    """A sweep that is taken up again would test another model than it trained."""
    config = write(FORWARD)
    trained = train(config, out=tmp_path, data=data).model_dir
    assert trained is not None
    write("self.output(-x.flatten(1))")
    with pytest.raises(InputError, match=r"with its trained weights it gives a val_loss of .*, and training had .*run again"):
        export(trained, data, config, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_is_not_in_the_state_dict_is_missed(write: Write, data: Dataset, tmp_path: Path) -> None:
    """Such a model cannot be kept."""
    with pytest.raises(InputError, match="belongs in its state_dict"):
        train(write(f"{FORWARD} * (3.0 if self.seen else 0.5)"), out=tmp_path, data=data)


def test_a_model_that_draws_in_evaluation_is_known(write: Write, data: Dataset, tmp_path: Path) -> None:
    """It draws the same numbers as when its loss was taken."""
    result = train(write("self.output((x + torch.randn_like(x) * 5 * random.random()).flatten(1))"), out=tmp_path, data=data)
    assert load_model(tmp_path).config.model == result.config.model
