"""What only shows when a space meets its data, checked before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.config.distributions import Choice
from sweeper.config.rows import Kind, kind_of, misfits
from sweeper.config.schema import Augment, Custom, Transformer
from sweeper.config.space import Space
from sweeper.config.strict_yaml import load, read_text
from sweeper.data.prepare import prepare
from sweeper.errors import InputError, Problem
from sweeper.trial import Scalar

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset

TAKES: Mapping[str, tuple[Kind, ...]] = {
    "mlp": ("table", "series", "images"),
    "cnn": ("images",),
    "rnn": ("series", "images", "text"),
    "transformer": ("images", "series", "text"),
}
"""Kinds of rows by model family; nobody knows what a custom one takes."""


def prepared(space: Space) -> Dataset:
    """The space's data, ready for training.

    Raises:
        InputError: the data cannot be used, or the space cannot be trained on it; with positions in the space file.
    """
    with placed(space):
        data = prepare(space.base.data, space.base.task, source=space.source)
        checks = (_batch_problems, _warmup_problems, _model_problems, _augment_problems)
        if problems := [problem for check in checks for problem in check(space, data)]:
            raise InputError(problems)
        return data


@contextmanager
def placed(space: Space) -> Iterator[None]:
    """Gives problems that are raised inside the position of their key in the space file."""
    try:
        yield
    except InputError as error:
        raise InputError([_place(space, problem) for problem in error.problems]) from error


def _place(space: Space, problem: Problem) -> Problem:
    if problem.line is not None or not Path(space.source).is_file():
        return problem
    file, text = load(read_text(Path(space.source)), space.source), load(space.text, space.source)
    keys = tuple(problem.path.split("."))
    for length in range(len(keys), 0, -1):
        position = file.positions.get(keys[:length])
        # What --set has replaced does not stand in the file.
        if position and _at(file.data, keys[:length]) == _at(text.data, keys[:length]):
            return replace(problem, source=space.source, line=position[0], column=position[1])
    return problem


def _at(tree: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _batch_problems(space: Space, data: Dataset) -> Iterator[Problem]:
    rows = len(data.train)
    training = space.base.training
    largest = int(_largest(space, "training.batch_size", training.batch_size))
    if largest > rows:
        found = f"batches of {largest} rows, and the training part has {rows}"
        yield Problem(space.source, "training.batch_size", found, f"1 to {rows}", "or smaller data.val_fraction and data.test_fraction")
    accumulate, batches = _largest(space, "training.accumulate", training.accumulate), -(-rows // largest)
    if accumulate > batches:
        found = f"{accumulate} batches per step, and an epoch has {batches} of {largest} rows"
        yield Problem(space.source, "training.accumulate", found, f"1 to {batches}", "or a smaller training.batch_size")


def _warmup_problems(space: Space, data: Dataset) -> Iterator[Problem]:
    """How many steps training has, only the data says; a warm-up that is given otherwise was looked at before."""
    for config in (space.base, *space.corners()):
        training, steps = config.training, config.schedule.warmup_steps or 0
        total = training.epochs * -(-len(data.train) // (training.batch_size * training.accumulate))
        if steps and steps >= total:
            found = f"a warm-up of {steps} steps, and training has {total}: the peak is never reached"
            yield Problem(space.source, "schedule.warmup_steps", found, f"0 to {total - 1}", "or more training.epochs")
            return


def _model_problems(space: Space, data: Dataset) -> Iterator[Problem]:
    kind, shape = kind_of(data.input_shape, data.tokens), list(data.input_shape)
    models = [config.model for config in (space.base, *space.corners())]
    for family in sorted({model.family for model in models} & TAKES.keys()):
        if kind not in TAKES[family]:
            rows = f"texts of {shape[0]} tokens" if kind == "text" else f"rows of shape {shape}"
            found = f"a model of the family {family} needs {' or '.join(TAKES[family])}, and {space.base.data.source} has {rows}"
            fitting = [name for name, kinds in TAKES.items() if kind in kinds]
            yield Problem(space.source, "model.family", found, ", ".join(fitting), f"write family: {fitting[0]}")
    patches = {model.patch for model in models if isinstance(model, Transformer) and model.patch is not None}
    for patch in sorted(patches) if kind == "images" else ():
        if shape[1] % patch or shape[2] % patch:
            sides = [str(side) for side in range(1, min(shape[1:]) + 1) if not shape[1] % side and not shape[2] % side]
            found = f"patches of {patch} do not cover images of {shape[1]} x {shape[2]}"
            yield Problem(space.source, "model.patch", found, ", ".join(sides))
    if own := {repr(model): model for model in models if isinstance(model, Custom)}:
        from sweeper.core.models import build

        # At least two: the second shows whether each call makes new weights.
        for model in [*own.values(), *own.values()][: max(2, len(own))]:
            build(model, data.input_shape, data.outputs, data.tokens)


def _augment_problems(space: Space, data: Dataset) -> Iterator[Problem]:
    strongest = {name: _largest(space, f"augment.{name}", fixed) for name, fixed in space.base.augment.model_dump().items()}
    yield from misfits(Augment.model_validate(strongest), data.input_shape, data.tokens, space.source)


def _largest(space: Space, path: str, fixed: float) -> float:
    """The largest number that a key may take."""
    return max(value for value in _possible(space, path, fixed) if isinstance(value, int | float))


def _possible(space: Space, path: str, fixed: Scalar) -> tuple[Scalar, ...]:
    """The options or the extreme values that a key may take."""
    found = [leaf.distribution for leaf in space.leaves if leaf.path == path]
    return tuple(value for one in found for value in (one.options if isinstance(one, Choice) else one.ends())) or (fixed,)
