"""The example table: as untidy as real ones, and prepared as its space says."""

import runpy
from pathlib import Path

import numpy as np
import yaml

from sweeper.config.schema import Data
from sweeper.data.prepare import prepare

EXAMPLE = Path(__file__).parents[2] / "examples" / "churn"


def test_the_example_prepares(tmp_path: Path) -> None:
    """Customers stay together, ids are no inputs, gaps are filled, and the labels are the file's own."""
    runpy.run_path(str(EXAMPLE / "make_churn.py"))["write"](tmp_path / "churn.csv", 600)
    section = yaml.safe_load((EXAMPLE / "churn.yaml").read_text())["data"]
    data = prepare(Data.model_validate(section), "classification", source=str(tmp_path / "churn.yaml"))
    assert data.labels == ("no", "yes")
    assert set(data.summary["dropped"]) == {"subscription id", "customer"}
    assert {"région", "monthly charges (€)", "data used [GB]", "tenure.months"} <= set(data.preprocessing.columns)
    assert data.summary["filled"].keys() == {"monthly charges (€)", "household size", "paperless"}
    assert all(np.isfinite(part.x).all() for part in (data.train, data.val, data.test))
