"""The page with the checks and the samples."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.preflight.finding import Finding, Status
from sweeper.preflight.page import HEADLINES, page
from sweeper.preflight.pictures import COLUMNS, LINES, label_of, sample_rows, samples_png

from .conftest import blobs, dataset

ROWS = (Finding("split", Status.FAIL, "5% of <rows>", "remove & split"), Finding("seeds", Status.PASS, "the same"))


def pictures(text: str) -> list[tuple[int, int]]:
    """Width and height of every picture inside a page."""
    found = [base64.b64decode(one) for one in re.findall(r"base64,([^\"]+)", text)]
    assert all(png.startswith(b"\x89PNG") for png in found)
    return [(int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) for png in found]


def test_images_are_a_grid(digits: Dataset) -> None:
    """Two pictures, the second with forty digits, ten of each line; text is escaped."""
    text = page("digits", "today", ROWS, digits)
    assert HEADLINES[Status.FAIL] in text
    assert "5% of &lt;rows&gt;" in text
    assert "What to do: remove &amp; split" in text
    overview, grid = pictures(text)
    assert overview[0] > 900
    assert grid[0] > grid[1] > 200
    rows = sample_rows(digits)
    assert len(rows) == COLUMNS * LINES
    assert [label_of(digits, int(row)) for row in rows[:10]] == [str(i) for i in range(10)]


@pytest.mark.parametrize("shape", [(3, 6, 6), (2, 5, 5), (20, 2)])
def test_colours_and_series_are_drawn(shape: tuple[int, ...]) -> None:
    """Three channels in colour, of others the first, series as curves."""
    x = np.random.default_rng(0).normal(size=(60, *shape)).astype(np.float32)
    png = samples_png(dataset(x, np.arange(60) % 2))
    assert png is not None
    assert png.startswith(b"\x89PNG")


def test_tables_texts_and_labels_are_rows() -> None:
    """A regression shows the target in its own unit, a text its words, several labels their names."""
    diabetes = prepare(Data(source="diabetes"), "regression")
    assert "<th>bmi</th>" in page("d", "", (), diabetes)
    assert 20 < float(label_of(diabetes, 0)) < 350
    text = page("t", "", (), prepare(Data(source="synthetic_text"), "classification"))
    assert re.search(r"<td>positive</td><td>[a-z]+ [a-z ]+", text)
    x, y = blobs()
    many = dataset(x, np.equal(y[:, None], np.arange(3)).astype(np.float32), "multilabel")
    assert (label_of(many, 0), label_of(many, 1)) == ("class 0", "class 1")
    assert "<td>class 0</td>" in page("m", "", (), many)
    wide = page("w", "", (), dataset(np.zeros((30, 40), np.float32), np.arange(30) % 2))
    assert "and 28 more" in wide
