"""The ``data:`` section."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from sweeper.config.schema.node import Node

SYNTHETIC = ("synthetic_series", "synthetic_text")
"""Data made by formula, for trying out models of series and text; ``data.params`` are the formula's."""
SOURCES = ("digits", "breast_cancer", "wine", "diabetes", *SYNTHETIC)
"""Data that ship with scikit-learn or sweeper; ``data.source`` is one of them, a file, a folder or a function."""
SOURCE_SUFFIXES = (".csv", ".parquet", ".npz", ".npy")
"""Kinds of data files, by the end of their name."""
SOURCE_WORDS = (
    f"{', '.join(SOURCES)}, a {', '.join(SOURCE_SUFFIXES)} file, a folder of images, texts or .npy files (./photos), "
    "or a function (my_package.module:load)"
)
"""What ``data.source`` may be, for people."""

_FUNCTION = re.compile(r"[^/\\]*[^/\\.]:[A-Za-z_]\w*")


def source_kind(source: str) -> Literal["named", "function", "file", "folder"] | None:
    """What ``data.source`` means, by its spelling alone; None where it can be nothing of these.

    ``digits`` is named, ``my_package.module:load`` a function, what ends in one of ``SOURCE_SUFFIXES`` a file, and any other path with a
    slash or a leading dot or ``~`` a folder.
    """
    if source in SOURCES:
        return "named"
    if _FUNCTION.fullmatch(source):
        return "function"
    if source.lower().endswith(SOURCE_SUFFIXES):
        return "file"
    return "folder" if "/" in source or source.startswith((".", "~")) else None


class Split(Node):
    """How rows are divided into train, validation and test."""

    by: Literal["random", "group", "time"] = Field(
        "random",
        description="random (stratified by label for classification), group (a group never straddles two parts) "
        "or time (oldest rows train, newest test)",
    )
    column: str | None = Field(None, description="the group or time column")


class Tokens(Node):
    """How texts become rows of whole numbers: 0 is padding, 1 a token that is not in the vocabulary."""

    level: Literal["word", "char", "id"] = Field(
        "word",
        description="a token is a word or punctuation mark (in lower case), or a character; "
        "id: rows of an array are token numbers already, 0 is padding, 1 stands for unknown ones",
    )
    vocabulary: int = Field(10_000, ge=3, le=1_000_000, description="at most so many token numbers: the commonest of the training part")
    length: int = Field(128, ge=1, le=65536, description="at most so many tokens of a row; what comes after is cut off")


class Data(Node):
    """Where the rows come from and how they are prepared; everything is fitted on the training part only."""

    source: str = Field(
        "digits",
        description="digits, breast_cancer, wine, diabetes, synthetic_series, synthetic_text; a .csv, .parquet, .npz or .npy file; "
        "a folder of images, of .txt files or of .npy files; or a function, as my_package.module:load",
    )
    params: dict[str, Any] = Field({}, description="arguments of the function that gives the data")
    folder: str | None = Field(
        None,
        description="where the modules of source and rewrite lie, and a relative path is looked up at last; "
        "null: beside this file, or in the working directory",
    )
    target: str | list[str] | None = Field(
        None,
        description="the target column of a table (a list of columns for task: multilabel); "
        "the name of the target among arrays (default y)",
    )
    drop: list[str] = Field([], description="columns that are not inputs, such as ids")
    missing: Literal["median", "mean", "most_frequent", "error"] = Field("median", description="how gaps in numeric columns are filled")
    categorical: Literal["onehot", "ordinal"] = Field("onehot", description="how text columns become numbers")
    scale: Literal["standard", "minmax", "none"] = Field("standard", description="scaling of numeric columns")
    text: str | None = Field(None, description="the column of a table that holds texts; it is the only input then")
    tokens: Tokens = Tokens()
    synonyms: dict[str, list[str]] | str | None = Field(
        None, description="words that augment.token_synonym may put in place of each other: a mapping, or a file of lines good: fine, nice"
    )
    rewrite: str | None = Field(
        None,
        description="my_module:function, which takes and returns a list of texts (back-translation, say); what it makes of training "
        "texts is added to the training part once, with their labels",
    )
    rewrite_share: float = Field(1.0, gt=0, le=1, description="share of the training texts that is rewritten")
    rewrite_copies: int = Field(1, ge=1, le=100, description="how often each of them is handed to the function")
    image_size: int = Field(32, ge=1, le=2048, description="images of a folder are scaled to so many pixels in height and width")
    image_mode: Literal["rgb", "grey"] = Field("rgb", description="channels of the images of a folder")
    stream: Literal["auto"] | bool = Field(
        "auto",
        description="inputs of .npy and .npz files, image folders and functions stay where they are and are read when they are needed; "
        "auto: where they would take more than an eighth of the free memory",
    )
    loader_workers: int = Field(0, ge=0, le=64, description="processes per trial that read streamed rows ahead; 0: the trial's own")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="share of all rows used for validation")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of all rows kept for the one test of the winner")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="fixes the split")
    split: Split = Split()
