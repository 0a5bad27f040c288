"""A user's own network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.files import config_from_tree, dump_config, load_config
from sweeper.config.schema import Custom
from sweeper.config.space import Space
from sweeper.core import models
from sweeper.core.batches import Resident
from sweeper.core.init import fresh
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from tests.core.driving import curve, cut, script

SOURCE = """
import math
import random
import numpy as np
import torch
from torch import nn

def build(input_shape, outputs, width=8, bad=None):
    if bad == "raises":
        raise ValueError("no such luck")
    if bad == "no module":
        return [1]
    if bad == "no tensor":
        return nn.LSTM(math.prod(input_shape), outputs)
    inner = nn.Linear(math.prod(input_shape), width)
    head = nn.Linear(width + (bad == "fails"), outputs + (bad == "outputs"))
    return nn.Sequential(nn.Flatten(), inner, nn.BatchNorm1d(width), nn.ReLU(), head)

class Trained(nn.Module):
    # other outputs in training than in evaluation
    def __init__(self, input_shape, outputs, give):
        super().__init__()
        self.output, self.give = nn.Linear(math.prod(input_shape), outputs), give
    def forward(self, x):
        found = self.output(x.flatten(1))
        other = {"few": found[:, :2], "flat": found[:, 0], "pair": (found, x), "detached": found.detach(), "whole": found.long()}
        return other[self.give] if self.training else found

class InPlace(nn.Module):
    def __init__(self, input_shape, outputs, inside):
        super().__init__()
        self.first, self.output, self.inside = nn.ReLU(inplace=inside), nn.Linear(math.prod(input_shape), outputs), inside
    def forward(self, x):
        x = x.add_(1.0) if self.inside else x + 1.0
        return self.output(self.first(x).flatten(1))

kept = nn.Linear(3, 2)

def frozen(input_shape, outputs):
    return nn.Linear(3, 2).requires_grad_(False)

def shared(input_shape, outputs, frozen=False):
    return nn.Sequential(kept.requires_grad_(not frozen), nn.Linear(2, outputs))

def deep(input_shape, outputs):
    return nn.Sequential(*(nn.Dropout(rate.item()) for rate in torch.linspace(0, 0.5, 3)), nn.Linear(3, outputs))

class Net(nn.Module):
    def __init__(self, input_shape, outputs, tokens=0):
        super().__init__()
        self.embedding = nn.Embedding(tokens, 3)
        self.output = nn.Linear(3, outputs)
    def forward(self, x):
        return self.output(self.embedding(x).mean(1))

class Noisy(nn.Module):
    # draws from every generator that needs no name: when it is built, in training and in evaluation
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.output = nn.Linear(math.prod(input_shape), outputs)
        self.scale = random.random() + np.random.rand()
    def forward(self, x):
        x = x.flatten(1) * self.scale
        return self.output(x + torch.randn_like(x) * np.random.rand() * random.random())

number = 3
"""
Write = Callable[..., Custom]


@pytest.fixture
def write(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Write]:
    """Writes the module under a name of its own and gives a config of it."""
    path, name = list(sys.path), f"nets_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)

    def custom(function: str = "build", **params: Any) -> Custom:
        return Custom(path=f"{name}:{function}", params=params, folder=str(tmp_path))

    yield custom
    sys.path[:] = path
    sys.modules.pop(name, None)


def test_the_function_gets_shape_outputs_and_params(write: Write) -> None:
    """By name; the model comes back ready for training."""
    net = models.build(write(width=5), (1, 8, 8), 10)
    assert [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)] == [(64, 5), (5, 10)]
    assert net.training
    statistics = next(module for module in net.modules() if isinstance(module, nn.BatchNorm1d))
    assert statistics.num_batches_tracked == 0  # the look at its outputs left no trace


def test_a_class_will_do_and_is_told_of_tokens(write: Write) -> None:
    """``tokens`` is passed where rows are tokens."""
    assert models.build(write("Net"), (7,), 3, 50)(torch.ones(2, 7, dtype=torch.int64)).shape == (2, 3)


@pytest.mark.parametrize(
    ("function", "params", "path", "words"),
    [
        ("biuld", {}, "model.path", ["has no 'biuld'", "build"]),
        ("number", {}, "model.path", ["is int", "a function or a class"]),
        ("build", {"widht": 3}, "model.params", ["unexpected keyword argument 'widht'"]),
        ("build", {"outputs": 3}, "model.params", ["outputs is given by the data"]),
        ("build", {"bad": "raises"}, "model.params", ["ValueError: no such luck"]),
        ("build", {"bad": "no module"}, "model.path", ["returned list", "an nn.Module"]),
        ("build", {"bad": "no tensor"}, "model.path", ["failed"]),
        ("build", {"bad": "outputs"}, "model.path", ["outputs of shape [2, 11]", "[2, 10]"]),
        ("build", {"bad": "fails"}, "model.path", ["on two rows of shape [1, 8, 8] failed", "RuntimeError"]),
    ],
)
def test_each_way_to_fail_has_one_sentence(write: Write, function: str, params: dict[str, Any], path: str, words: list[str]) -> None:
    """With the key, what was found and what is expected."""
    with pytest.raises(InputError) as caught:
        models.build(write(function, **params), (1, 8, 8), 10)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert all(word in str(problem) for word in words), str(problem)


def test_a_model_has_something_to_train(write: Write) -> None:
    """Where everything is frozen, no trial can."""
    with pytest.raises(InputError, match="without a parameter to train"):
        models.build(write("frozen"), (3,), 2)


def test_every_model_has_weights_of_its_own(write: Write) -> None:
    """A trial would go on where another one ended; weights that nobody changes may be shared."""
    models.build(write("shared"), (3,), 2)
    with pytest.raises(InputError) as caught:
        models.build(write("shared"), (3,), 2)
    (problem,) = caught.value.problems
    assert problem.path == "model.path"
    assert "weights of one that it gave before: 0.weight, 0.bias" in problem.found
    assert "copy.deepcopy" in str(problem)
    for _ in range(2):
        models.build(write("shared", frozen=True), (3,), 2)


@pytest.mark.parametrize(
    ("give", "task", "words"),
    [
        ("few", "classification", "outputs of shape [16, 2] for 16 rows in training  allowed: [16, 10]"),
        ("flat", "regression", "outputs of shape [16] for 16 rows in training  allowed: [16, 1]"),
        ("pair", "classification", "outputs of shape tuple for 16 rows in training"),
        ("detached", "classification", "outputs without a gradient"),
        ("whole", "classification", "outputs without a gradient"),
    ],
    ids=["few", "flat", "pair", "detached", "whole"],
)
def test_outputs_in_training_are_looked_at_too(
    write: Write, digits: Dataset, diabetes: Dataset, make_trial: Any, give: str, task: str, words: str
) -> None:
    """The two rows that it is built with pass in evaluation mode."""
    trial = make_trial(task=task, model=write("Trained", give=give).model_dump(), training={"batch_size": 16})
    data = digits if task == "classification" else diabetes
    with pytest.raises(InputError) as caught:
        script(train([trial], cut(data, 64, 32), device="cpu"))
    assert words in str(caught.value)


@pytest.mark.parametrize("engine", ["plain", "stacked"])
def test_a_model_that_changes_its_inputs_changes_no_data(write: Write, digits: Dataset, make_trial: Any, engine: str) -> None:
    """In a loop of one's own each batch is a copy; here the next epoch, and the next trial, must see the same rows."""
    same = {"training": {"epochs": 2, "batch_size": 16, "engine": engine}}
    curves = []
    for inside in (True, False):
        trials = [make_trial(n, model=write("InPlace", inside=inside).model_dump(), **same) for n in range(2)]
        curves.append(curve([one for reports in script(train(trials, cut(digits, 64, 32), device="cpu")) for one in reports]))
    assert curves[0] == curves[1]


def test_a_function_may_look_into_tensors(write: Write) -> None:
    """Or load weights into them: the look at the extreme configs, which has our own families on the meta device, sees the same model."""
    with torch.device("meta"):
        net = models.build(write("deep"), (3,), 2)
    assert {parameter.device.type for parameter in net.parameters()} == {"cpu"}


def test_a_module_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """With the folders that were looked in."""
    with pytest.raises(InputError) as caught:
        models.build(Custom(path="no_such_nets:build", folder=str(tmp_path)), (3,), 2)
    assert "no module 'no_such_nets'" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_the_seed_draws_the_weights_that_the_function_made(write: Write, digits: Dataset) -> None:
    """Under auto they are the function's own, by the trial's seed; a scheme that is named draws them anew."""
    data = Resident.of(digits, torch.device("cpu"))

    def weights(seed: int, **init: Any) -> torch.Tensor:
        config = config_from_tree({"name": "own", "model": write(width=512).model_dump(), "init": init})
        found: torch.Tensor = fresh(config, data, seed).get_parameter("1.weight").detach()
        return found

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    assert weights(1).var().item() == pytest.approx(1 / (3 * 64), rel=0.05)  # torch's default
    assert weights(1, scheme="he_uniform").var().item() == pytest.approx(2 / 64, rel=0.05)


def test_a_custom_model_trains_and_an_epoch_leaves_out_a_lone_last_row(write: Write, digits: Dataset, make_trial: Any) -> None:
    """It may hold batch norm, and nobody knows; the course is a function of the seed."""
    parts = {"model": write(width=16).model_dump(), "optimizer": {"name": "adamw", "lr": 1e-2}, "training": {"epochs": 5, "batch_size": 64}}
    rounds = [script(train([make_trial(**parts)], cut(digits, 257, 61), device="cpu")) for _ in range(2)]
    reports = [[one for reports in found for one in reports] for found in rounds]
    assert reports[0][-1].metrics["val_accuracy"] > 0.5
    assert curve(reports[0]) == curve(reports[1])


def test_a_model_may_draw_from_any_generator(write: Write, digits: Dataset, make_trial: Any) -> None:
    """Torch's, NumPy's or Python's, also when it is built and in evaluation: the course is a function of the seed all the same."""
    trial = make_trial(model=write("Noisy").model_dump(), training={"epochs": 2, "batch_size": 64})
    first, second = ([one for reports in script(train([trial], cut(digits, 128, 64), device="cpu")) for one in reports] for _ in range(2))
    assert curve(first) == curve(second)


def test_a_space_finds_the_module_beside_it_and_says_so_in_every_config(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder travels with the config, to a worker that runs elsewhere; otherwise the working directory is taken."""
    path = write().path
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder, here in ((tmp_path, elsewhere), (elsewhere, tmp_path)):
        monkeypatch.chdir(here)
        file = folder / "own.yaml"
        file.write_text(f"name: own\nmodel: {{family: custom, path: '{path}', params: {{width: {{int: [4, 16]}}}}}}\n")
        space = Space.load(file)
        resolved = space.resolve(lambda _leaf: 7, seed=1)
        assert resolved.config.model == Custom(path=path, params={"width": 7}, folder=str(tmp_path))
        assert Space.parse(space.text, "the ledger").fingerprint() == space.fingerprint()
        file.write_text(dump_config(resolved.config))
        assert load_config(file) == resolved.config
