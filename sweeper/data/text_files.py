"""Texts from folders of ``.txt`` files, one sub-folder per class."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sweeper.data.content import Content
from sweeper.data.folders import find
from sweeper.errors import InputError, Problem

SUFFIX = ".txt"
COLUMN, CLASS = "text", "class"


def read_texts(folder: Path) -> Content:
    """Read every text below a folder (see ``sweeper.data.folders``); they go through ``data.tokens`` as a column of texts does.

    Args:
        folder: where the texts are.

    Raises:
        InputError: another layout, classes without texts, or files that are not UTF-8: all of them at once.
    """
    import pandas as pd

    found = find(folder, (SUFFIX,), "texts")
    digest = hashlib.sha256()
    texts: list[str] = []
    problems: list[Problem] = []
    for file in found.files:
        try:
            raw = file.read_bytes()
            texts.append(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            told = f"not UTF-8: byte {raw[error.start]:#04x} in line {line}"
            problems.append(Problem(str(file), "data.source", told, "text in UTF-8", "save the file again as UTF-8"))
            continue
        except OSError as error:
            problems.append(Problem(str(file), "data.source", f"cannot be read: {error.strerror}", "a readable file"))
            continue
        digest.update(f"{os.path.relpath(file, folder)}\0{len(raw)}\0".encode())
        digest.update(raw)
    if problems:
        raise InputError(problems)
    table = pd.DataFrame({COLUMN: pd.Series(texts, dtype=object), CLASS: found.labels})
    series = {str(name): values for name, values in table.items()}
    notes = {"texts": {"files": len(found.files), "ignored_files": found.ignored}}
    return Content(str(folder), table, digest.hexdigest(), series, CLASS, given=found.given, text=COLUMN, notes=notes)
