"""What ``data.source`` means is told by its spelling."""

from __future__ import annotations

import pytest

from sweeper.config.schema import source_kind


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("digits", "named"),
        ("synthetic_text", "named"),
        ("churn.csv", "file"),
        ("../Data/ROWS.PARQUET", "file"),
        ("/data/images.npz", "file"),
        ("./photos", "folder"),
        ("photos/", "folder"),
        ("~/photos", "folder"),
        ("my.photos/cats.v2", "folder"),
        ("my_data:load", "function"),
        ("my_package.data.sensors:load_windows", "function"),
        ("my-package:load", "function"),
        ("digit", None),
        ("table.xlsx", None),
        ("photos", None),
        ("", None),
    ],
)
def test_a_source_is_known_by_its_spelling(source: str, kind: str | None) -> None:
    """No disk is looked at, so that a space can be checked where its data is not."""
    assert source_kind(source) == kind
