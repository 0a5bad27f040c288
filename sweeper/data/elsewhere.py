"""Streamed inputs as plain data, for a process that is told of them over a socket and must not be handed objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.data.images import Images
from sweeper.data.items import Items, Way
from sweeper.data.preprocess import Preprocessing
from sweeper.data.readers import Joined, Mapped, Reader
from sweeper.data.stream import Streamed


def told(x: Streamed) -> dict[str, Any]:
    """How and where the inputs are read, as numbers, texts, lists and mappings; but for ``rows``, which are an int64 array."""
    return {
        "reader": x.reader.told(),
        "rows": x.rows,
        "preprocessing": x.preprocessing.to_json(),
        "workers": x.workers,
    }


def heard(tree: Mapping[str, Any]) -> Streamed:
    """The inputs that ``told`` told of."""
    return Streamed(_reader(tree["reader"]), tree["rows"], Preprocessing.from_json(tree["preprocessing"]), tree["workers"])


def _reader(tree: Mapping[str, Any]) -> Reader:
    match tree:
        case {"joined": list(readers)}:
            return Joined([_reader(reader) for reader in readers])
        case {"mapped": str(path), "offset": int(offset), "shape": shape, "dtype": str(dtype)}:
            return Mapped(Path(path), offset, tuple(shape), np.dtype(dtype))
        case {"images": list(files), "size": int(size), "mode": str(mode)}:
            return Images([Path(file) for file in files], size, mode)
        case {"items": str(source), "params": params, "folder": str(folder), "part": part, "shape": shape, "dtype": str(dtype)}:
            return Items(Way(source, params, Path(folder)), part, None, tuple(shape), np.dtype(dtype))
    raise ValueError(f"no reader was told of: {sorted(tree)}")
