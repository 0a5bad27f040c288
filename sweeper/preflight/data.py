"""What is wrong with the data, seen from its arrays alone; nothing here needs torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from sweeper.data.dataset import Dataset, Part
from sweeper.preflight.columns import column_kinds
from sweeper.preflight.features import is_tokens, matrix, names
from sweeper.preflight.finding import Finding, failed, listed, passed, warned
from sweeper.preflight.suspects import far_values, given_away

FEW = 30
"""Validation rows below which a score is mostly chance: one row more or less is three points of accuracy."""

FAR, WIDE, NARROW = 3.0, 5.0, 0.02
"""A feature's mean and standard deviation beyond which it counts as not normalised; standardised ones have 0 and 1, pixels 0.3 and 0.3."""

IMBALANCE = 10.0
"""The commonest class has so many times the rows of the rarest."""

OUTLIER = 10.0
"""Standard deviations from the mean at which a target value rules a squared error."""

SOME, LEAKED = 0.01, 0.1
"""Shares of held-out rows that training has seen: worth a warning, and so many that scores mean nothing."""

COINCIDENCE = 10.0
"""Repeats are natural while they are at most so many times what independent columns would give."""


def data_findings(data: Dataset) -> Iterator[Finding]:
    """All rows about the data, in order."""
    broken = _arrays(data)
    yield broken or passed("data", _shapes(data))
    if broken:
        return
    if columns := column_kinds(data):
        yield columns
    yield _few(data)
    yield _normalised(data)
    yield _constant(data)
    if far := far_values(data):
        yield far
    yield from _targets(data)
    if given := given_away(data):
        yield given
    yield _leak(data)


def _parts(data: Dataset) -> dict[str, Part]:
    return {"train": data.train, "val": data.val, "test": data.test}


def _shapes(data: Dataset) -> str:
    x = data.train.seen()
    rows = ", ".join(f"{len(part)} {name}" for name, part in _parts(data).items())
    span = f"from {x.min()} to {x.max()}" if is_tokens(x) else f"from {x.min():.3g} to {x.max():.3g}"
    streamed = f"; streamed, so inputs are judged by {len(x)} training rows" if len(x) < len(data.train) else ""
    return f"{rows} rows of shape {list(data.input_shape)}, {x.dtype}, values {span}{streamed}"


def _arrays(data: Dataset) -> Finding | None:
    """Arrays that a model cannot take."""
    remedy = "mend the file, or the function that loads it"
    for name, part in _parts(data).items():
        if part.x.dtype not in (np.float32, np.int64):
            return failed("data", f"the inputs of {name} are {part.x.dtype}, not float32 (or int64 for tokens)", remedy, "data.source")
        if len(part.x) != len(part.y) or not len(part):
            return failed("data", f"{name} has {len(part.x)} rows of inputs and {len(part.y)} targets", remedy, "data.source")
        if tuple(part.x.shape[1:]) != data.input_shape:
            found = f"rows of {name} have shape {list(part.x.shape[1:])}, those of train {list(data.input_shape)}"
            return failed("data", found, remedy, "data.source")
        if broken := int((~np.isfinite(part.seen().reshape(len(part.seen()), -1)).all(1)).sum()):
            return failed("data", f"{broken} rows of {name} hold NaN or infinite inputs", "fill or drop these rows", "data.missing")
    return None


def _few(data: Dataset) -> Finding:
    rows = len(data.val)
    if rows < FEW:
        found = f"{rows} validation rows: a row more or less is {100 / rows:.0f} points of accuracy, so small differences are chance"
        return warned("validation rows", found, "a larger data.val_fraction, or confirm winners with several seeds", "data.val_fraction")
    return passed("validation rows", f"{rows} rows judge the trials")


def _normalised(data: Dataset) -> Finding:
    check = "normalised inputs"
    if is_tokens(data.train.x):
        return passed(check, "inputs are token ids, which an embedding looks up")
    values = matrix(data.train.seen())
    mean, std = values.mean(0), values.std(0)
    varied = std > 0
    binary = ((values == values.min(0)) | (values == values.max(0))).all(0) & (np.abs(values).max(0) <= 1)
    off = np.flatnonzero(varied & ~binary & ((np.abs(mean) > FAR) | (std > WIDE) | (std < NARROW)))
    if not len(off):
        spread = f", standard deviations from {std[varied].min():.2g} to {std[varied].max():.2g}" if varied.any() else ""
        return passed(check, f"means within {np.abs(mean).max():.2g} of 0{spread}")
    every = names(data)
    told = listed([f"{every[i]} (mean {mean[i]:.3g}, standard deviation {std[i]:.3g})" for i in off], 3)
    return warned(check, f"not normalised: {told}", "data.scale: standard", "data.scale")


def _constant(data: Dataset) -> Finding:
    check = "constant features"
    if is_tokens(data.train.x):
        used = np.unique(data.train.seen())
        if len(used) == 1:
            return failed(check, "every input is the same token in all training rows", "other data", "data.source")
        return passed(check, f"{len(used)} different tokens")
    values = matrix(data.train.seen())
    flat = np.flatnonzero(values.min(0) == values.max(0))
    if not len(flat):
        return passed(check, f"every one of {values.shape[1]} features varies" if values.shape[1] > 1 else "the inputs vary")
    every = names(data)
    if len(flat) == values.shape[1]:
        return failed(check, "every input is the same in all training rows: there is nothing to learn from", "other data", "data.source")
    told = listed([every[i] for i in flat])
    return warned(check, f"{len(flat)} of {len(every)} features never change in training: {told}", "data.drop: [...]", "data.drop")


def _targets(data: Dataset) -> Iterator[Finding]:
    if data.task == "regression":
        yield _values(data)
    elif data.task == "multilabel":
        yield _many_labels(data)
    else:
        wrong = _classes(data)
        yield wrong or passed("labels", f"{data.outputs} classes, each in every part")
        if wrong is None or wrong.status != "fail":
            yield _balance(data)


def _values(data: Dataset) -> Finding:
    y = data.train.y.astype(np.float64)
    for name, part in _parts(data).items():
        if not np.isfinite(part.y).all():
            return failed("target", f"the target of {name} holds NaN or infinite values", "drop these rows", "data.target")
    if y.std() == 0:
        return failed("target", "the target is the same in every training row", "another data.target", "data.target")
    original = y * data.target_scale + data.target_mean
    found = f"mean {original.mean():.4g}, standard deviation {original.std():.4g}, from {original.min():.4g} to {original.max():.4g}"
    far = float(np.abs((y - y.mean()) / y.std()).max())
    if far > OUTLIER:
        found += f"; the farthest value is {far:.0f} standard deviations from the mean and rules the squared error"
        return warned("target", found, "look at these rows; predict the logarithm of a skewed target", "data.target")
    return passed("target", found)


def _many_labels(data: Dataset) -> Finding:
    for name, part in _parts(data).items():
        if not np.isin(part.y, (0, 1)).all():
            return failed("labels", f"{name} holds label values other than 0 and 1", "one column of 0 and 1 per label", "data.target")
    share = data.train.y.mean(0)
    lonely = [_label(data, i) for i in np.flatnonzero((share == 0) | (share == 1))]
    if lonely:
        found = f"the same in every training row: {listed(lonely)}"
        return warned("labels", found, "leave these labels out, or bring rows that differ", "data.target")
    return passed("labels", f"{len(share)} labels, the rarest on {share.min():.1%} of the rows, the commonest on {share.max():.1%}")


def _classes(data: Dataset) -> Finding | None:
    """Classes that are out of range or missing from a part."""
    remedy = f"whole numbers from 0 to {data.outputs - 1}"
    absent: list[str] = []
    for name, part in _parts(data).items():
        if part.y.dtype.kind not in "iu":
            return failed("labels", f"the labels of {name} are {part.y.dtype}", remedy, "data.target")
        if outside := np.flatnonzero((part.y < 0) | (part.y >= data.outputs)).tolist():
            found = f"{len(outside)} labels of {name} are out of range: {part.y[outside[0]]} in row {outside[0]}"
            return failed("labels", f"{found}, and there are {data.outputs} classes", remedy, "data.target")
        missing = [_label(data, i) for i in np.flatnonzero(np.bincount(part.y, minlength=data.outputs) == 0)]
        if missing and name == "train":
            found = f"no training row has the label {listed(missing)}"
            return failed("labels", found, "another split, or leave the label out", "data.split")
        absent += [f"{name} has no {label}" for label in missing]
    if absent:
        return warned("labels", f"{listed(absent)}: nothing is measured for these", "larger fractions, or another split", "data.split")
    return None


def _balance(data: Dataset) -> Finding:
    sizes = np.bincount(data.train.y, minlength=data.outputs)
    order = np.argsort(-sizes, kind="stable")
    shares = ", ".join(f"{_label(data, i)} {sizes[i] / sizes.sum():.1%}" for i in order[:6]) + (", ..." if len(order) > 6 else "")
    most, least = int(order[0]), int(order[-1])
    if sizes[most] > IMBALANCE * sizes[least]:
        found = f"{_label(data, least)} is on {sizes[least]} rows, {_label(data, most)} on {sizes[most]}: {shares}"
        remedy = "search.metric: val_f1_macro (or val_auroc), since accuracy rewards ignoring rare classes; weight the classes"
        return warned("label balance", found, remedy, "search.metric")
    return passed("label balance", shares)


def _label(data: Dataset, index: int | np.integer[Any]) -> str:
    return data.labels[index] if index < len(data.labels) else str(index)


def _leak(data: Dataset) -> Finding:
    """Rows that were held out and that training sees all the same."""
    shares = _leaked(data)
    share = max(shares.values())
    if share == 0:
        return passed("split", "no input of validation or test also stands in train")
    told = " and ".join(f"{value:.1%} of {name}" for name, value in shares.items() if value) + " rows also stand in train"
    if share <= COINCIDENCE * _coincidence(data.train.seen()):
        return passed("split", f"{told}, no more than columns of so few different values give by chance")
    if share < SOME:
        return passed("split", told)
    found = f"{told}, so their scores measure memory"
    remedy = "remove repeated rows before the split, or split: {by: group, column: ...} so that they stay together"
    return (failed if share >= LEAKED else warned)("split", found, remedy, "data.split")


def _leaked(data: Dataset) -> dict[str, float]:
    """Shares of the held-out rows that stand in train; of streamed ones they were counted while these were read."""
    if data.summary.get("streamed"):
        found = data.summary["duplicates"]
        return {"validation": found["val in train"] / len(data.val), "test": found["test in train"] / len(data.test)}
    seen = set(_hashes(data.train.seen()))
    return {name: _share(_hashes(part.seen()), seen) for name, part in (("validation", data.val), ("test", data.test))}


def _hashes(x: np.ndarray) -> list[int]:
    return [hash(row.tobytes()) for row in x + x.dtype.type(0)]  # -0.0 becomes 0.0


def _share(hashes: list[int], seen: set[int]) -> float:
    return sum(one in seen for one in hashes) / len(hashes)


def _coincidence(x: np.ndarray) -> float:
    """The share of rows that would meet an equal one in ``x`` if its columns were independent; at most 1."""
    flat = x.reshape(len(x), -1)
    logarithm = math.log(len(flat))
    for column in np.random.default_rng(0).permutation(flat.shape[1]):
        if logarithm < math.log(1e-6):
            break
        _, counts = np.unique(flat[:, column], return_counts=True)
        logarithm += math.log(float(((counts / len(flat)) ** 2).sum()))
    return min(1.0, math.exp(logarithm))
