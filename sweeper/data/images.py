"""Images from folders, one sub-folder per class."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.content import Content
from sweeper.data.folders import find
from sweeper.data.readers import Reader
from sweeper.data.stream import Look, wanted
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    from sweeper.config.schema import Data

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MODES = {"rgb": "RGB", "grey": "L"}


class Images(Reader):
    """Images that are decoded when they are asked for, uint8 ``[n, channels, size, size]``.

    Args:
        files: absolute, for workers stand elsewhere.
        size: see ``load_images``.
        mode: see ``load_images``.
    """

    def __init__(self, files: Sequence[Path], size: int, mode: str) -> None:
        self._files, self._size, self._mode = files, size, mode
        self.shape = (len(files), 3 if mode == "rgb" else 1, size, size)
        self.dtype = np.dtype(np.uint8)

    def told(self) -> dict[str, Any]:
        """Files, size and mode."""
        return {"images": [str(file) for file in self._files], "size": self._size, "mode": self._mode}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The images of these numbers.

        Raises:
            InputError: files that have gone or changed, all of them in one error.
        """
        return load_images([self._files[row] for row in rows.tolist()], self._size, self._mode)


def read_images(data: Data, folder: Path) -> Content:
    """Read every image below a folder (see ``sweeper.data.folders``), or look at each once where they are streamed.

    Args:
        data: the config's section: ``image_size``, ``image_mode``, ``stream``.
        folder: where the images are.

    Raises:
        InputError: another layout, classes without images, or files that are not images: all of them at once.
    """
    import pandas as pd

    found = find(folder, SUFFIXES, "images")
    y = pd.Series(found.labels, name="class")
    notes = {"images": {"files": len(found.files), "size": data.image_size, "mode": data.image_mode, "ignored_files": found.ignored}}
    images = Images([file.absolute() for file in found.files], data.image_size, data.image_mode)
    if wanted(data, images.shape):
        look = Look()
        digest = _look(found.files, folder, data.image_size, data.image_mode, lambda _, pixels: look.at(pixels[None]))
        return Content(str(folder), images, digest, {"class": y}, "class", given=found.given, notes=notes, look=look)
    pixels, digest = _read(found.files, folder, data.image_size, data.image_mode)
    return Content(str(folder), pixels, digest, {"class": y}, "class", given=found.given, notes=notes)


def load_images(paths: Iterable[str | Path], size: int, mode: str) -> np.ndarray:
    """Decode images as training does: turned as their EXIF says and scaled (bilinear), uint8 ``[n, channels, size, size]``.

    Args:
        paths: of the files.
        size: pixels in height and width; the shape of an oblong image is not kept.
        mode: ``rgb`` or ``grey``.

    Raises:
        InputError: files that are not images, all of them in one error.
    """
    return _read([Path(path) for path in paths], Path(), size, mode)[0]


def _read(files: list[Path], folder: Path, size: int, mode: str) -> tuple[np.ndarray, str]:
    """The pixels, and the hash of the files' names below the folder and their bytes."""
    pixels = np.empty((len(files), 3 if mode == "rgb" else 1, size, size), dtype=np.uint8)
    return pixels, _look(files, folder, size, mode, pixels.__setitem__)


def _look(files: list[Path], folder: Path, size: int, mode: str, keep: Callable[[int, np.ndarray], None]) -> str:
    """Decodes one image after another and hands it to ``keep`` with its number; the hash of names and bytes."""
    digest = hashlib.sha256()
    problems: list[Problem] = []
    for place, file in enumerate(files):
        try:
            raw = file.read_bytes()
            keep(place, _decode(raw, size, mode))
        except Exception as error:  # noqa: BLE001 - damaged files make decoders raise anything
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            problems.append(Problem(str(file), "data.source", f"not a readable image: {reason}"[:300], "", "mend or remove the file"))
            continue
        digest.update(f"{os.path.relpath(file, folder)}\0{len(raw)}\0".encode())
        digest.update(raw)
    if problems:
        raise InputError(problems)
    return digest.hexdigest()


def _decode(raw: bytes, size: int, mode: str) -> np.ndarray:
    """One image, uint8 ``[channels, size, size]``."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(raw)) as image:
        if image.mode[0] in "IF":
            raise ValueError(f"pixels of mode {image.mode}, where 8 bits per channel are expected")
        upright = ImageOps.exif_transpose(image).convert(MODES[mode])
    scaled = upright if upright.size == (size, size) else upright.resize((size, size), Image.Resampling.BILINEAR)
    array = np.asarray(scaled)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
