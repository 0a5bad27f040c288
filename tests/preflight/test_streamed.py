"""Looking at data that stays in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweeper.config.schema import Data
from sweeper.data import readers, stream
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.preflight import baseline as linear
from sweeper.preflight.alignment import alignment
from sweeper.preflight.baseline import baseline
from sweeper.preflight.data import data_findings
from sweeper.preflight.finding import Finding, Status
from sweeper.preflight.page import page


@pytest.fixture
def both(tmp_path: Path) -> tuple[Dataset, Dataset]:
    """The same rows in memory and streamed; three in ten of the validation rows stand in train."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2, 6, 6)).astype(np.float32)
    x[200:300] += np.tile([[[[0.5]]], [[[1.0]]]], (50, 1, 1, 1))
    x[240:264] = x[:24]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(400) % 2)
    np.save(tmp_path / "t.npy", np.arange(400))
    held, streamed = (
        prepare(Data.model_validate({"source": str(tmp_path), "stream": how, "split": {"by": "time", "column": "t"}}), "classification")
        for how in (False, True)
    )
    return held, streamed


def told(data: Dataset) -> dict[str, Finding]:
    """The rows by check."""
    return {one.check: one for one in data_findings(data)}


def test_inputs_are_judged_by_a_sample_and_leaks_by_all_rows(both: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first row says so; what is found is what all rows show; the page has its pictures."""
    held, streamed = both
    monkeypatch.setattr(stream, "SEEN_ROWS", 100)
    found = told(streamed)
    assert "streamed, so inputs are judged by 100 training rows" in found["data"].sentence
    assert found["split"] == told(held)["split"]
    assert found["split"].status is Status.FAIL
    assert {check: one.status for check, one in found.items()} == {check: one.status for check, one in told(held).items()}
    assert alignment(streamed) == alignment(held)
    assert page("s", "now", [], streamed).count("data:image/png") == 2


def test_the_baseline_sees_some_rows_and_is_scored_on_all(both: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all rows are few enough it is the resident one; otherwise its name says how many it saw."""
    held, streamed = both
    monkeypatch.setattr(readers, "PIECE_BYTES", 4000)
    one, other = baseline(held), baseline(streamed)
    assert other.name == one.name
    assert other.val == pytest.approx(one.val)
    assert other.test == pytest.approx(one.test)
    monkeypatch.setattr(linear, "MOST_ROWS", 90)
    assert baseline(streamed).name == "logistic regression on 90 rows"
