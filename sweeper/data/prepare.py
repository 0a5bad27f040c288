"""From the ``data:`` section of a config to arrays that are ready for training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sweeper.data.checks import array_problems, column_problems, drop_hint, text_problems
from sweeper.data.columns import Kind, kinds_of
from sweeper.data.content import Content
from sweeper.data.dataset import Dataset, Part
from sweeper.data.fit import fit_array, fit_table
from sweeper.data.ids import fit_ids
from sweeper.data.labels import Labels, encode, rare_classes
from sweeper.data.preprocess import Inputs, Preprocessing, Target
from sweeper.data.readers import Reader, pieces
from sweeper.data.rewriting import Divided, rewritten
from sweeper.data.selection import Selection, key_problems, select
from sweeper.data.sources import read
from sweeper.data.split import Rows, split_rows
from sweeper.data.stream import Constancy, Streamed
from sweeper.data.summary import held_facts, streamed_facts, summarise
from sweeper.data.synonyms import synonyms_of
from sweeper.data.text import fit_text, texts_of
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data


def prepare(data: Data, task: str, *, source: str = "") -> Dataset:
    """Read, check, split and preprocess; everything is fitted on the training part only.

    Args:
        data: the config's section.
        task: ``classification``, ``multilabel`` or ``regression``.
        source: the file that the config stands in, for errors; a relative path that is not found from here is looked up beside it.

    Raises:
        InputError: the section or the data is at fault; as many problems at once as can be told apart.
    """
    source = source or "config"
    wrong = key_problems(data, source)
    try:
        content = read(data, source)
    except InputError as error:
        raise InputError([*wrong, *error.problems]) from error
    selection = select(content, data, source, wrong)
    labels, kinds = _check(content, selection, data, task)
    rows = split_rows(data, labels, selection.column, source=source, file=content.name, given=content.given)
    return _assemble(rewritten(Divided(content, selection, labels, rows), data, source), kinds, data=data, task=task, source=source)


def _check(content: Content, selection: Selection, data: Data, task: str) -> tuple[Labels, dict[str, Kind]]:
    """Encode the target and find the columns' kinds.

    Raises:
        InputError: every problem of the target and of the columns.
    """
    problems: list[Problem] = []
    if data.tokens.level == "id" and not isinstance(selection.inputs, np.ndarray | Reader):
        problems.append(Problem(content.name, "data.tokens.level", "id, and the inputs are a table or texts", "arrays of token numbers"))
    labels, file = None, content.name
    try:
        labels = encode(selection.target, task, file)
        problems.extend(rare_classes(labels, file) if labels.values else [])
    except InputError as error:
        problems.extend(error.problems)
    kinds: dict[str, Kind | None] = {}
    if isinstance(selection.inputs, np.ndarray | Reader):
        problems.extend(array_problems(selection.inputs, content.look, file))
    elif selection.text is not None:
        kinds = {selection.text: "text"}
        problems.extend(text_problems(selection.inputs[selection.text], file))
    else:
        kinds = kinds_of(selection.inputs)
        problems.extend(column_problems(selection.inputs, kinds, data, file))
    if problems or labels is None:
        raise InputError(problems)
    return labels, {name: kind for name, kind in kinds.items() if kind is not None}


def _assemble(found: Divided, kinds: dict[str, Kind], *, data: Data, task: str, source: str) -> Dataset:
    """Fit the preprocessing on the training rows and apply it to every part."""
    content, selection, labels, rows = found.content, found.selection, found.labels, found.rows
    y, target = labels.y, Target(selection.name, labels.values, labels=labels.names)
    if task == "regression":
        train = labels.y[rows.train]
        target = Target(selection.name, mean=float(train.mean()), scale=float(train.std()))
        if target.scale == 0:
            told = f"target {selection.name!r} is constant in the training part"
            raise InputError.of(content.name, "data.target", told, "at least two values")
        y = ((labels.y - target.mean) / target.scale).astype(np.float32)
    numbers = {"train": rows.train, "val": rows.val, "test": rows.test}
    constancy = Constancy()
    preprocessing = Preprocessing(_fit(selection, kinds, rows, data, content.name, constancy), target)
    if isinstance(selection.inputs, Reader):
        inputs, workers = selection.inputs, data.loader_workers
        parts = {part: Part(Streamed(inputs, index, preprocessing, workers), y[index]) for part, index in numbers.items()}
        facts = streamed_facts(content, numbers, constancy)
    else:
        x = preprocessing.transform(selection.inputs, content.name)
        parts = {part: Part(x[index], y[index]) for part, index in numbers.items()}
        facts = held_facts(content, selection, parts, preprocessing, x)
    synonyms: Mapping[int, tuple[int, ...]] = {}
    digest = content.hash
    if data.synonyms is not None:
        known = synonyms_of(data.synonyms, preprocessing.inputs, source)
        synonyms, facts["synonyms"] = known.by_token, {"words": len(known.by_token), "passed_over": known.passed_over}
        digest = hashlib.sha256(f"{digest} {sorted(synonyms.items())}".encode()).hexdigest()
    return Dataset(
        **parts,
        task=task,
        outputs=len(labels.values) or len(labels.names) or 1,
        labels=tuple(map(str, labels.values)) or labels.names,
        target_mean=target.mean,
        target_scale=target.scale,
        preprocessing=preprocessing,
        hash=digest,
        summary=summarise(content, selection, kinds, parts, preprocessing) | facts,
        tokens=preprocessing.tokens,
        synonyms=synonyms,
    )


def _fit(selection: Selection, kinds: dict[str, Kind], rows: Rows, data: Data, file: str, constancy: Constancy) -> Inputs:
    """The numbers or the vocabulary of the training rows, of which those in arrays pass through ``constancy``."""
    inputs = selection.inputs
    if isinstance(inputs, np.ndarray | Reader):
        train = constancy.watch(pieces(inputs, rows.train))
        return fit_ids(train, file) if data.tokens.level == "id" else fit_array(train, scale=data.scale)
    table = inputs.iloc[rows.train]
    if selection.text is not None:
        return fit_text(texts_of(table, selection.text, file), selection.text, data.tokens)
    _refuse_hollow(table, kinds, file)
    return fit_table(table, kinds, missing=data.missing, categorical=data.categorical, scale=data.scale)


def _refuse_hollow(train: pd.DataFrame, kinds: dict[str, Kind], file: str) -> None:
    """Gaps cannot be filled from a training part that has nothing else."""
    hollow = [name for name, kind in kinds.items() if kind != "text" and train[name].isna().all()]
    if hollow:
        drop = drop_hint(hollow)
        raise InputError(
            Problem(file, "data.drop", f"column {name!r} has no values in the training part", "a value", drop) for name in hollow
        )
