"""Where rows come from: named sets, files, folders, and functions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper.config.nearest import hint
from sweeper.config.schema import SOURCE_WORDS, SOURCES, source_kind
from sweeper.data import arrays, files, folders, synthetic, text_files
from sweeper.data.content import Content, content_hash
from sweeper.data.functions import content_of, read_function
from sweeper.data.images import SUFFIXES, read_images
from sweeper.errors import InputError

if TYPE_CHECKING:
    from sweeper.config.schema import Data

BUILT_IN = SOURCES
"""What is there without a file; only the parameters of a synthetic set can be wrong."""
TABLES = {".csv": files.read_csv, ".parquet": files.read_parquet}
ARRAYS = {".npz": arrays.read_npz, ".npy": arrays.read_npy}


def read(data: Data, source: str) -> Content:
    """Read ``data.source``.

    Args:
        data: the config's section.
        source: the file that the config stands in; a relative path that is not found from here is looked up beside it, then in
            ``data.folder``.

    Raises:
        InputError: there is no such source, or it cannot be read.
    """
    kind = source_kind(data.source)
    if kind == "function":
        return read_function(data, source)
    if kind == "named":
        made = synthetic.SETS.get(data.source)
        return _built_in(data.source) if made is None else content_of(made, data, source)
    if kind is None:
        found = f"{data.source!r} is neither a known name nor a file of a known kind"
        raise InputError.of(source, "data.source", found, SOURCE_WORDS, hint(data.source, BUILT_IN))
    path = Path(data.source).expanduser()
    path = next((there for folder in _places(data, source) if (there := folder / path).exists()), path)
    if kind == "folder":
        if not path.is_dir():
            found = f"{data.source!r} is neither a folder nor a file of a known kind"
            raise InputError.of(source, "data.source", found, SOURCE_WORDS, _looked_in(data, source))
        return _folder(data, path)
    return _file(data, path, source)


def _places(data: Data, source: str) -> list[Path]:
    """The folders in which a relative path is looked up, in this order."""
    return [Path(), Path(source).parent, *([] if data.folder is None else [Path(data.folder)])]


def _looked_in(data: Data, source: str) -> str:
    """Where a relative path was looked up."""
    return f"looked in {' and '.join(dict.fromkeys(str(folder.resolve()) for folder in _places(data, source)))}"


def _file(data: Data, path: Path, source: str) -> Content:
    """A table, or arrays."""
    if not path.exists():
        siblings = (
            [entry for entry in path.parent.glob("*") if entry.suffix.lower() in {**TABLES, **ARRAYS}] if path.parent.is_dir() else []
        )
        names = {entry.name: str(entry) for entry in siblings} | {name: name for name in BUILT_IN}
        near = hint(path.name, names) or _looked_in(data, source)
        raise InputError.of(source, "data.source", f"there is no file {data.source!r}", SOURCE_WORDS, near)
    name, suffix = str(path), path.suffix.lower()
    try:
        if suffix in ARRAYS:
            return ARRAYS[suffix](data, path)
        raw = path.read_bytes()
    except OSError as error:
        found = f"{data.source!r} is a directory" if path.is_dir() else f"{data.source!r} cannot be read: {error.strerror}"
        raise InputError.of(source, "data.source", found, SOURCE_WORDS) from error
    table = TABLES[suffix](raw, name)
    return Content(name, table, hashlib.sha256(raw).hexdigest(), {str(column): values for column, values in table.items()})


def _folder(data: Data, path: Path) -> Content:
    """Arrays, texts or images, by the files that are in it."""
    if any(entry.suffix.lower() == arrays.ENDING for entry in folders.visible(path)):
        return arrays.read_npy(data, path)
    endings = folders.endings(path)
    return text_files.read_texts(path) if text_files.SUFFIX in endings and endings.isdisjoint(SUFFIXES) else read_images(data, path)


def _built_in(name: str) -> Content:
    """One of scikit-learn's bundled sets, with named classes where it names them."""
    import pandas as pd
    from sklearn import datasets

    if name == "digits":
        bunch = datasets.load_digits()
        target = pd.Series(bunch.target, name="target")
        return Content(name, bunch.images[:, None], content_hash(bunch.images, bunch.target), {"target": target}, "target")
    if name == "diabetes":
        # The scaled variant is computed over all rows, test rows included. Rounding to more than the 4 published decimals
        # undoes what versions of scikit-learn differ in: the last bit of 11 values.
        bunch = datasets.load_diabetes(scaled=False)
        bunch.data = np.round(bunch.data, 6)
        labels = bunch.target
    else:
        bunch = datasets.load_breast_cancer() if name == "breast_cancer" else datasets.load_wine()
        labels = np.asarray(bunch.target_names)[bunch.target]
    table = pd.DataFrame(bunch.data, columns=[str(column) for column in bunch.feature_names]).assign(target=labels)
    return Content(name, table, content_hash(bunch.data, bunch.target), {str(column): values for column, values in table.items()}, "target")
