"""Images from folders, one sub-folder per class."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper.data.content import Content
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    from sweeper.config.schema import Data

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
PARTS = ("train", "val", "test")
LAYOUT = "one sub-folder of images per class, or such folders in train, val and test"
MODES = {"rgb": "RGB", "grey": "L"}


def read_folder(data: Data, folder: Path) -> Content:
    """Read every image below a folder; the class of an image is the name of the folder it lies in.

    Sub-folders ``train``, ``val`` and ``test``, where there is ``train``, are the parts; each holds the classes' folders. Names are
    sorted, so that the rows' order is the same everywhere. Hidden names are passed over, files of other kinds are counted in the notes.

    Args:
        data: the config's section: ``image_size``, ``image_mode``.
        folder: where the images are.

    Raises:
        InputError: another layout, classes without images, or files that are not images: all of them at once.
    """
    import pandas as pd

    name = str(folder)
    roots = _parts(folder)
    files: list[Path] = []
    labels: list[str] = []
    given: dict[str, np.ndarray] = {}
    ignored = 0
    problems: list[Problem] = []
    for part, root in roots.items():
        begin = len(files)
        for label in _folders(root):
            entries = _visible(label)
            images = [entry for entry in entries if entry.suffix.lower() in SUFFIXES and entry.is_file()]
            ignored += len(entries) - len(images)
            if not images:
                problems.append(Problem(str(label), "data.source", "no images in this folder", f"files ending in {', '.join(SUFFIXES)}"))
            files += images
            labels += [label.name] * len(images)
        if begin == len(files) and not problems:
            problems.append(Problem(str(root), "data.source", "no sub-folders", LAYOUT))
        given[part] = np.arange(begin, len(files))
    if problems:
        raise InputError(problems)
    pixels, digest = _read(files, folder, data.image_size, data.image_mode)
    y = pd.Series(labels, name="class")
    notes = {"images": {"size": data.image_size, "mode": data.image_mode, "ignored_files": ignored}}
    return Content(name, pixels, digest, {"class": y}, "class", given=given if len(given) > 1 else {}, notes=notes)


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
    digest = hashlib.sha256()
    problems: list[Problem] = []
    for place, file in enumerate(files):
        try:
            raw = file.read_bytes()
            pixels[place] = _decode(raw, size, mode)
        except Exception as error:  # noqa: BLE001 - damaged files make decoders raise anything
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            problems.append(Problem(str(file), "data.source", f"not a readable image: {reason}"[:300], "", "mend or remove the file"))
            continue
        digest.update(f"{os.path.relpath(file, folder)}\0{len(raw)}\0".encode())
        digest.update(raw)
    if problems:
        raise InputError(problems)
    return pixels, digest.hexdigest()


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


def _parts(folder: Path) -> dict[str, Path]:
    """The folders that hold the classes' folders, by part; all rows are ``train`` where there are no parts."""
    found = {entry.name: entry for entry in _folders(folder)}
    if "train" not in found:
        return {"train": folder}
    others = sorted(set(found) - set(PARTS))
    if others:
        raise InputError.of(str(folder), "data.source", f"beside train there is {', '.join(map(repr, others[:5]))}", LAYOUT)
    return {part: found[part] for part in PARTS if part in found}


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.is_dir()]


def _visible(folder: Path) -> list[Path]:
    return sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=lambda entry: entry.name)
