"""Columns of text that were meant as numbers or dates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.disguise import disguise
from sweeper.data.prepare import prepare
from sweeper.errors import InputError


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["1", "2.5", "-3e4", "?"], "most are numbers, but not '?'"),
        (["1", "2", "7" * 41], f"most are numbers, but not '{'7' * 41}'"),
        (["1", "2", "3", "4", "5", "6", "a", "b", "c", "d"], "most are numbers, but not 'a', 'b', 'c' and 1 more"),
        (["45,000", "7", "1,250.5"], "most are numbers with commas or signs, such as '45,000'"),
        (["3,5", "4,25", "unknown"], "most are numbers with commas or signs, such as '3,5'"),
        (["12 %", "3%", "€ 4.50"], "most are numbers with commas or signs, such as '12 %'"),
        (["31.03.2024", "1.4.2024"], "most are dates, such as '31.03.2024'"),
        (["3/31/2024 12:00", "4/1/2024 8:30"], "most are dates, such as '3/31/2024 12:00'"),
        (["2024-03-31", "2024-04-01", "soon"], "most are dates, but not 'soon'"),
    ],
)
def test_what_it_looks_like(texts: list[str], found: str) -> None:
    """One sentence with an example of what is at fault."""
    seen = disguise(texts)
    assert seen is not None
    assert seen.found == found


@pytest.mark.parametrize("texts", [[], ["red", "green"], ["1", "2"], ["2024-03-31"], ["10-20", "20-30"], ["1.2.3", "1.2.4"], ["a1", "7"]])
def test_categories_are_what_they_are(texts: list[str]) -> None:
    """Words, ranges, versions, and numbers that were kept as text on purpose."""
    assert disguise(texts) is None


def test_the_summary_knows_a_cell_outside_the_training_part(tmp_path: Path) -> None:
    """A typo makes text of the whole column, wherever its row went."""
    rows = [f"{row % 9},{'yes' if row % 2 else 'no'}" for row in range(60)]
    rows[59] = "n/v,yes"
    (tmp_path / "t.csv").write_text("\n".join(["age,y", *rows]))
    data = prepare(Data.model_validate({"source": str(tmp_path / "t.csv"), "target": "y"}), "classification")
    assert data.summary["disguised"]["age"]["found"] == "most are numbers, but not 'n/v'"


def test_a_number_to_predict_with_a_typo(tmp_path: Path) -> None:
    """The odd value is told, not the first one; the task is right."""
    pd.DataFrame({"a": range(60), "y": [*map(str, range(59)), "n/v"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError) as caught:
        prepare(Data(source=str(tmp_path / "t.csv"), target="y"), "regression")
    (problem,) = caught.value.problems
    assert (problem.path, problem.found) == ("data.target", "target 'y' holds text: most are numbers, but not 'n/v'")
