"""Folders with a sub-folder of files per class: which files there are, of which class, in which part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeper.errors import InputError, Problem

PARTS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a folder holds, in an order that is the same everywhere.

    Attributes:
        files: sorted by part, class and name.
        labels: the name of the folder that each lies in.
        given: row numbers by part; empty where the folder does not divide its rows.
        ignored: files of other kinds.
    """

    files: list[Path]
    labels: list[str]
    given: dict[str, np.ndarray]
    ignored: int


def find(folder: Path, suffixes: tuple[str, ...], what: str) -> Found:
    """Find every file with such an ending; the class of a file is the name of the folder it lies in.

    Sub-folders ``train``, ``val`` and ``test``, where there is ``train``, are the parts; each holds the classes' folders. Hidden names are
    passed over.

    Args:
        folder: where they are.
        suffixes: endings in lower case.
        what: the files for people, in the plural.

    Raises:
        InputError: another layout, or classes without such files: all of them at once.
    """
    layout = f"one sub-folder of {what} per class, or such folders in train, val and test"
    found = Found([], [], {}, 0)
    ignored = 0
    problems: list[Problem] = []
    for part, root in _parts(folder, layout).items():
        begin = len(found.files)
        for label in folders(root):
            entries = visible(label)
            files = [entry for entry in entries if entry.suffix.lower() in suffixes and entry.is_file()]
            ignored += len(entries) - len(files)
            if not files:
                problems.append(Problem(str(label), "data.source", f"no {what} in this folder", f"files ending in {', '.join(suffixes)}"))
            found.files.extend(files)
            found.labels.extend([label.name] * len(files))
        if begin == len(found.files) and not problems:
            problems.append(Problem(str(root), "data.source", "no sub-folders", layout))
        found.given[part] = np.arange(begin, len(found.files))
    if problems:
        raise InputError(problems)
    return Found(found.files, found.labels, found.given if len(found.given) > 1 else {}, ignored)


def endings(folder: Path) -> set[str]:
    """The endings of the files in sub-folders, of a class or of a class within a part."""
    classes = [inner for outer in folders(folder) for inner in (outer, *folders(outer))]
    return {entry.suffix.lower() for label in classes for entry in visible(label)}


def _parts(folder: Path, layout: str) -> dict[str, Path]:
    """The folders that hold the classes' folders, by part; all rows are ``train`` where there are no parts."""
    found = {entry.name: entry for entry in folders(folder)}
    if "train" not in found:
        return {"train": folder}
    others = sorted(set(found) - set(PARTS))
    if others:
        raise InputError.of(str(folder), "data.source", f"beside train there is {', '.join(map(repr, others[:5]))}", layout)
    return {part: found[part] for part in PARTS if part in found}


def folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, by name."""
    return [entry for entry in visible(folder) if entry.is_dir()]


def visible(folder: Path) -> list[Path]:
    """What lies in a folder without a dot before its name, by name."""
    return sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=lambda entry: entry.name)
