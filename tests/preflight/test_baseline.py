"""The linear baseline: the core's names and definitions, so that a winner can be held against it."""

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.preflight.baseline import baseline
from sweeper.trial import CLASSIFICATION_METRICS, REGRESSION_METRICS


@pytest.mark.parametrize(("source", "least"), [("digits", 0.94), ("breast_cancer", 0.94), ("wine", 0.9)])
def test_classification_baselines_are_strong_and_named_as_reports(source: str, least: float) -> None:
    """Logistic regression converges (warnings are errors here), with every searchable metric for val and test."""
    result = baseline(prepare(Data(source=source), "classification"))
    assert result.name == "logistic regression"
    assert set(result.val) == {metric.value for metric in CLASSIFICATION_METRICS}
    assert set(result.test) == {metric.value.replace("val_", "test_") for metric in CLASSIFICATION_METRICS}
    assert result.val["val_accuracy"] >= least
    assert result.test["test_accuracy"] >= least


def test_the_regression_baseline_speaks_in_units() -> None:
    """On diabetes ridge regression errs by about 44, explains a good third, and its loss is of the standardised target."""
    data = prepare(Data(source="diabetes"), "regression")
    result = baseline(data)
    assert result.name == "ridge regression"
    assert set(result.val) == {metric.value for metric in REGRESSION_METRICS}
    assert 35 < result.val["val_mae"] < result.val["val_rmse"] < 70
    assert result.val["val_rmse"] == pytest.approx(result.val["val_loss"] ** 0.5 * data.target_scale)
    assert 0.25 < result.test["test_r2"] < 0.65


def test_the_seed_changes_nothing_here() -> None:
    """The solvers draw nothing: any seed, however large, gives the same numbers."""
    data = prepare(Data(source="wine"), "classification")
    assert baseline(data, 0) == baseline(data, 2**32 - 1)


def table(tmp_path: object, y: list[object]) -> Dataset:
    """Two columns of noise and these labels, in order of time."""
    path = f"{tmp_path}/t.csv"
    rng = np.random.default_rng(0)
    pd.DataFrame({"a": rng.normal(size=len(y)), "b": rng.normal(size=len(y)), "t": range(len(y)), "y": y}).to_csv(path, index=False)
    section = {"source": path, "target": "y", "split": {"by": "time", "column": "t"}}
    return prepare(Data.model_validate(section), "classification")


def test_a_class_missing_from_val_leaves_out_auroc_only(tmp_path: object) -> None:
    """The area is undefined there; the other scores are not."""
    result = baseline(table(tmp_path, [0, 1, 2] * 20 + [0, 1] * 10 + [0, 1, 2, 0] * 5))
    assert "val_auroc" not in result.val
    assert "test_auroc" in result.test
    assert np.isfinite(list(result.val.values())).all()


def test_several_labels_have_a_model_each(tmp_path: object) -> None:
    """The scores are the core's for the same probabilities; a label that no training row has is no obstacle."""
    torch = pytest.importorskip("torch")
    from sweeper.core.evaluate import scores
    from sweeper.preflight.baseline import _multilabel

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = (x[:, :3] + 0.5 * rng.normal(size=(200, 3)) > 0).astype(int)
    y[:, 2] = np.arange(200) >= 180  # of the newest rows alone
    path = f"{tmp_path}/t.csv"
    pd.DataFrame(x).assign(t=range(200), a=y[:, 0], b=y[:, 1], c=y[:, 2]).to_csv(path, index=False)
    section = {"source": path, "target": ["a", "b", "c"], "split": {"by": "time", "column": "t"}}
    result = baseline(prepare(Data.model_validate(section), "multilabel"))
    assert result.name == "logistic regression"
    assert set(result.val) == {metric.value for metric in CLASSIFICATION_METRICS}
    assert result.val["val_accuracy"] > 0.8
    assert np.isfinite(list(result.test.values())).all()
    logits = rng.normal(size=(40, 3))
    ours = scores(torch.tensor(logits).unsqueeze(0), torch.tensor(y[:40], dtype=torch.float64), "multilabel", auroc=True)
    theirs = _multilabel(1 / (1 + np.exp(-logits)), y[:40])
    assert theirs == pytest.approx({name: value.item() for name, value in ours.items()}, rel=1e-5)


def test_a_single_label_is_one_label() -> None:
    """It is not taken for two classes."""
    from sweeper.preflight.baseline import _multilabel

    found = _multilabel(np.array([[0.9], [0.2], [0.8]]), np.array([[1], [0], [0]]))
    assert found["f1_macro"] == pytest.approx(2 / 3)


def test_texts_are_counted() -> None:
    """The order of words is lost on it, so that it gets a part of the synthetic texts right."""
    result = baseline(prepare(Data(source="synthetic_text"), "classification"))
    assert result.name == "logistic regression on token counts"
    assert 0.6 < result.val["val_accuracy"] < 0.9


def test_the_definitions_are_the_cores() -> None:
    """The same outputs get the same scores from scikit-learn here and from torch in the core."""
    torch = pytest.importorskip("torch")
    from sweeper.core.evaluate import scores
    from sweeper.preflight.baseline import _classification, _regression

    rng = np.random.default_rng(0)
    for classes in (2, 3):
        logits = rng.normal(size=(40, classes))
        y = rng.integers(0, classes, 40)
        ours = scores(torch.tensor(logits).unsqueeze(0), torch.tensor(y), "classification", auroc=True)
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert _classification(probabilities, y) == pytest.approx({name: value.item() for name, value in ours.items()}, rel=1e-5)
    values, target = rng.normal(size=(40, 1)), rng.normal(size=40)
    ours = scores(torch.tensor(values).unsqueeze(0), torch.tensor(target), "regression", target_scale=3.0)
    assert _regression(values[:, 0], target, 3.0) == pytest.approx({name: value.item() for name, value in ours.items()}, rel=1e-5)
