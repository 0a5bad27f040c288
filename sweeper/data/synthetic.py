"""Synthetic data, made by formula from a seed: for trying out models of series and text where no real set can be downloaded.

Results on them say that a model and its search work, and nothing about any real problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sweeper.errors import InputError

CYCLES = {"slow": (2.0, 3.5), "fast": (4.5, 6.0)}
TRENDS = {"falling": -1.0, "rising": 1.0}

GOOD = ("brilliant", "charming", "clever", "delightful", "gripping", "moving", "superb", "witty")
BAD = ("awful", "clumsy", "dreary", "dull", "lifeless", "muddled", "shallow", "tedious")
SUBJECTS = ("the plot", "the acting", "the music", "the ending", "the script", "the camera work", "the cast", "the dialogue")
LINKS = ("was", "seemed", "felt")
DEGREES = ("", "", "rather", "truly", "really", "quite")
OPENINGS = ("", "", "last night we saw it and", "my sister says that", "for once", "as a whole")


def series(rows: int = 800, length: int = 64, features: int = 2, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Series of four classes: a slow or a fast wave of random phase on a falling or a rising trend, under Gaussian noise.

    A linear model sees the trend and cannot see the frequency, because of the random phase.

    Args:
        rows: how many series.
        length: points in time.
        features: channels; each has a phase and an amplitude of its own.
        noise: standard deviation; the waves' amplitude is about 1.
        seed: of everything that is random.

    Returns:
        float32 ``[rows, length, features]``, and the classes' names ``[rows]``.

    Raises:
        InputError: sizes below 1, or a negative noise.
    """
    _at_least("synthetic_series", 1, rows=rows, length=length, features=features)
    _at_least("synthetic_series", 0, noise=noise, seed=seed)
    rng = np.random.default_rng(seed)
    time = np.linspace(0.0, 1.0, length)[:, None]
    pace = rng.choice(list(CYCLES), rows)
    trend = rng.choice(list(TRENDS), rows)
    low, high = np.array([CYCLES[name] for name in pace]).T
    cycles = rng.uniform(low, high)[:, None, None]
    slope = np.array([TRENDS[name] for name in trend])[:, None, None] * rng.uniform(0.2, 1.0, (rows, 1, 1))
    phase = rng.uniform(0.0, 2 * np.pi, (rows, 1, features))
    amplitude = rng.uniform(0.7, 1.3, (rows, 1, features))
    x = amplitude * np.sin(2 * np.pi * cycles * time + phase) + slope * (time - 0.5) + noise * rng.normal(size=(rows, length, features))
    return x.astype(np.float32), np.char.add(np.char.add(pace, " "), trend)


def text(rows: int = 1200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Remarks about films from a small grammar, ``positive`` or ``negative``.

    The last clause decides, and ``not`` turns it round: "the plot was dull but the acting felt not really clumsy" is positive. So counting
    words gives a part of the answer, and their order the rest.

    Args:
        rows: how many texts.
        seed: of everything that is random.

    Returns:
        The texts and their labels, both ``[rows]``.

    Raises:
        InputError: no rows.
    """
    _at_least("synthetic_text", 1, rows=rows)
    _at_least("synthetic_text", 0, seed=seed)
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(rows):
        positive = bool(rng.random() < 0.5)
        clauses = [_clause(rng, positive)]
        if rng.random() < 0.5:
            clauses.insert(0, f"{_clause(rng, bool(rng.random() < 0.3) == positive)} but")
        texts.append(" ".join(part for part in (rng.choice(OPENINGS), *clauses) if part) + rng.choice([".", "!", " ..."]))
        labels.append("positive" if positive else "negative")
    return np.array(texts), np.array(labels)


def _clause(rng: np.random.Generator, positive: bool) -> str:
    turned = bool(rng.random() < 0.35)
    word = rng.choice(GOOD if positive != turned else BAD)
    parts = [rng.choice(SUBJECTS), rng.choice(LINKS), "not" if turned else "", rng.choice(DEGREES), word]
    return " ".join(part for part in parts if part)


def _at_least(name: str, least: float, **values: Any) -> None:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
            raise InputError.of(name, f"data.params.{key}", f"{value!r}", f"a number of at least {least}")


SETS: Mapping[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {"synthetic_series": series, "synthetic_text": text}
