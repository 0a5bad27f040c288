"""The ``data:`` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sweeper.config.schema.node import Node

SOURCES = ("digits", "breast_cancer", "wine", "diabetes")
"""Data sets that ship with scikit-learn; ``data.source`` is one of them or a file."""
SOURCE_SUFFIXES = (".csv", ".parquet", ".npz")
"""Kinds of data files, by the end of their name."""


class Split(Node):
    """How rows are divided into train, validation and test."""

    by: Literal["random", "group", "time"] = Field(
        "random",
        description="random (stratified by label for classification), group (a group never straddles two parts) "
        "or time (oldest rows train, newest test)",
    )
    column: str | None = Field(None, description="the group or time column")


class Data(Node):
    """Where the rows come from and how they are prepared; everything is fitted on the training part only."""

    source: str = Field("digits", description="digits, breast_cancer, wine, diabetes, or a .csv, .parquet or .npz file")
    target: str | None = Field(None, description="the target column of a table; the name of the target array of an npz (default y)")
    drop: list[str] = Field([], description="columns that are not inputs, such as ids")
    missing: Literal["median", "mean", "most_frequent", "error"] = Field("median", description="how gaps in numeric columns are filled")
    categorical: Literal["onehot", "ordinal"] = Field("onehot", description="how text columns become numbers")
    scale: Literal["standard", "minmax", "none"] = Field("standard", description="scaling of numeric columns")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="share of all rows used for validation")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of all rows kept for the one test of the winner")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="fixes the split")
    split: Split = Split()
