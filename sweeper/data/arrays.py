"""Arrays in files: one ``.npz`` file, or ``.npy`` files that lie in one folder; in memory, or read row by row."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper.data import files
from sweeper.data.content import Content, file_hash
from sweeper.data.readers import Reader, map_npy, map_npz, npz_header
from sweeper.data.stream import Look, wanted
from sweeper.errors import InputError

if TYPE_CHECKING:
    from sweeper.config.schema import Data

ENDING = ".npy"


def read_npz(data: Data, path: Path) -> Content:
    """The arrays of an ``.npz`` file; its inputs stay there where they are streamed.

    Raises:
        InputError: not such a file; or one that is to be streamed and is compressed.
    """
    name, target = str(path), _target(data)
    streamed = _streamed_npz(data, path, target)
    if streamed is not None:
        return streamed
    raw = path.read_bytes()
    array, series, matrix = files.read_npz(raw, name, target, data.split.column)
    return Content(name, array, hashlib.sha256(raw).hexdigest(), series, target, matrix)


def _streamed_npz(data: Data, path: Path, target: str) -> Content | None:
    """The same without reading the inputs; None where they are not to be streamed, or nobody can read them at all."""
    name = str(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            key = files.inputs_key(archive.files, name, target)
            shape, _ = npz_header(path, key)
            if not wanted(data, shape):
                return None
            others = {other: archive[other] for other in archive.files if other in (target, data.split.column)}
        reader = map_npz(path, key)
    except (ValueError, OSError, EOFError, TypeError, KeyError, zipfile.BadZipFile):
        return None  # said by who reads it all
    if reader is None:
        found = f"{name} is compressed, so that its rows cannot be read one by one"
        hint = "numpy.savez in place of numpy.savez_compressed, or x.npy and y.npy in a folder"
        raise InputError.of(name, "data.stream", found, "a file that is not compressed, or stream: false", hint)
    files.refuse_shape(reader.shape, f"array {key!r}", name)
    series, matrix = files.beside(reader, others, key, name, target, data.split.column)
    return Content(name, reader, file_hash(path), series, target, matrix, look=Look.over(reader))


def read_npy(data: Data, path: Path) -> Content:
    """A ``.npy`` file of inputs and the target beside it, or a folder of them: ``x.npy`` and ``y.npy``.

    Every other ``.npy`` file there whose name is the target's or the split column's is an array of that name.

    Args:
        data: the config's section.
        path: of the inputs, or of the folder.

    Raises:
        InputError: no such files, or no arrays in them.
    """
    folder, target = path if path.is_dir() else path.parent, _target(data)
    found = {entry.stem: entry for entry in sorted(folder.iterdir()) if entry.suffix.lower() == ENDING and not entry.name.startswith(".")}
    key = path.stem if path.is_file() else files.inputs_key(found, str(folder), target)
    if target not in found:
        raise InputError.of(str(path), "data.target", f"there is no {target}{ENDING} in {folder}", ", ".join(found), "data.target names it")
    names = [key, *(other for other in found if other in (target, data.split.column) and other != key)]
    name, digest = str(path), file_hash(*(found[other] for other in names))
    others = {other: _array(found[other]) for other in names[1:]}
    inputs: np.ndarray | Reader = _array(found[key], mapped=True)
    files.refuse_shape(inputs.shape, f"array {key!r}", name)
    streamed = wanted(data, inputs.shape)
    inputs = map_npy(found[key]) if streamed else files.shaped(_array(found[key]), f"array {key!r}", name)
    series, matrix = files.beside(inputs, others, key, name, target, data.split.column)
    return Content(name, inputs, digest, series, target, matrix, look=Look.over(inputs) if isinstance(inputs, Reader) else None)


def _array(path: Path, *, mapped: bool = False) -> np.ndarray:
    """What a ``.npy`` file holds, in memory unless it is only looked at.

    Raises:
        InputError: no array, or one of Python objects.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        sentence = str(error).partition("\n")[0]
        raise InputError.of(str(path), "data.source", f"no array of numbers or text: {sentence}", "what numpy.save writes") from error


def _target(data: Data) -> str:
    return data.target if isinstance(data.target, str) else "y"
