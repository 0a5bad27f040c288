"""What only shows when a space meets its data, checked before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.config.distributions import Choice
from sweeper.config.rows import misfits
from sweeper.config.schema import Augment
from sweeper.config.space import Space
from sweeper.config.strict_yaml import load, read_text
from sweeper.data.prepare import prepare
from sweeper.errors import InputError, Problem
from sweeper.trial import Scalar

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset

IMAGE_DIMENSIONS = 3


def prepared(space: Space) -> Dataset:
    """The space's data, ready for training.

    Raises:
        InputError: the data cannot be used, or the space cannot be trained on it; with positions in the space file.
    """
    with placed(space):
        data = prepare(space.base.data, space.base.task, source=space.source)
        if problems := [*_batch_problems(space, data), *_image_problems(space, data), *_augment_problems(space, data)]:
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


def _image_problems(space: Space, data: Dataset) -> Iterator[Problem]:
    families = {*_possible(space, "model", None), *_possible(space, "model.family", space.base.model.family)}
    if "cnn" in families and len(data.input_shape) != IMAGE_DIMENSIONS:
        found = f"a cnn needs images, and {space.base.data.source} has rows of shape {list(data.input_shape)}"
        yield Problem(space.source, "model.family", found, "mlp", "or images of shape [n, channels, height, width] in an npz file")


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
