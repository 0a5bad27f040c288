"""Where rows come from: scikit-learn's bundled sets by name, everything else by path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.config.nearest import hint
from sweeper.data import files
from sweeper.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data

BUILT_IN = ("digits", "breast_cancer", "wine", "diabetes")
READERS = {".csv": files.read_csv, ".parquet": files.read_parquet, ".npz": files.read_npz}


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a source holds, before anything is chosen from it.

    Attributes:
        name: the source for people: its name, or the path of the file that was read.
        inputs: a table that still holds the target; or an array ``[n, features]`` or ``[n, channels, height, width]``.
        hash: sha256 of the raw content.
        series: what else there is per row, by name: the columns of a table, the one-dimensional arrays beside an array of inputs.
        target: the name of the target unless the config says otherwise; None when it must.
    """

    name: str
    inputs: pd.DataFrame | np.ndarray
    hash: str
    series: dict[str, pd.Series[Any]] = field(default_factory=dict)
    target: str | None = None


def read(data: Data, source: str) -> Content:
    """Read ``data.source``.

    Args:
        data: the config's section.
        source: the file that the config stands in; a relative path that is not found from here is looked up beside it.

    Raises:
        InputError: there is no such source, or it cannot be read.
    """
    if data.source in BUILT_IN:
        return _built_in(data.source)
    path = Path(data.source).expanduser()
    suffix = path.suffix.lower()
    allowed = f"{', '.join(BUILT_IN)}, or a {', '.join(READERS)} file"
    if suffix not in READERS:
        found = f"{data.source!r} is neither a known name nor a file of a known kind"
        raise InputError.of(source, "data.source", found, allowed, hint(data.source, BUILT_IN))
    beside = Path(source).parent / path
    if not path.exists() and beside.exists():
        path = beside
    if not path.exists():
        siblings = [entry for entry in path.parent.glob("*") if entry.suffix.lower() in READERS] if path.parent.is_dir() else []
        names = {entry.name: str(entry) for entry in siblings} | {name: name for name in BUILT_IN}
        near = hint(path.name, names) or f"looked in {Path.cwd()}"
        raise InputError.of(source, "data.source", f"there is no file {data.source!r}", allowed, near)
    try:
        raw = path.read_bytes()
    except OSError as error:
        found = f"{data.source!r} is a directory" if path.is_dir() else f"{data.source!r} cannot be read: {error.strerror}"
        raise InputError.of(source, "data.source", found, allowed) from error
    digest = hashlib.sha256(raw).hexdigest()
    name = str(path)
    if suffix == ".npz":
        array, series = files.read_npz(raw, name, data.target or "y", data.split.column)
        return Content(name, array, digest, series, "y")
    table = files.read_csv(raw, name) if suffix == ".csv" else files.read_parquet(raw, name)
    return Content(name, table, digest, {str(column): values for column, values in table.items()})


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


def content_hash(*arrays: np.ndarray) -> str:
    """sha256 of the arrays' types, shapes and values, the same on every machine."""
    digest = hashlib.sha256()
    for array in arrays:
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{little.dtype.str}{list(little.shape)}".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()
