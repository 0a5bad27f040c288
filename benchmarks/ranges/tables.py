"""Rows that need no download, for problems on which the range test is judged."""

from __future__ import annotations

import numpy as np

Rows = tuple[np.ndarray, np.ndarray]
"""float32 ``[n, columns]``, and what is to be told of them, ``[n]``."""


def friedman() -> Rows:
    """Friedman's first regression problem (1991): ``[n, 10]``, ``[n]``; five of them count; noise is a fifth of the spread."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(600, 10, noise=1.0, random_state=0)
    return x.astype(np.float32), y.astype(np.float32)


def friedman2() -> Rows:
    """His second, the impedance of a circuit: four columns of very different scales, noise a tenth of the spread."""
    from sklearn.datasets import make_friedman2

    x, y = make_friedman2(800, noise=37.0, random_state=1)
    return x.astype(np.float32), y.astype(np.float32)


def sparse() -> Rows:
    """A linear function of six of 40 columns under noise of a tenth of the spread."""
    from sklearn.datasets import make_regression

    x, y = make_regression(1000, 40, n_informative=6, noise=15.0, random_state=2)
    return x.astype(np.float32), y.astype(np.float32)


def blobs() -> Rows:
    """Eight Gaussian classes in 12 columns, hardly overlapping."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs(1200, 12, centers=8, cluster_std=5.0, random_state=3)
    return x.astype(np.float32), y


def moons() -> Rows:
    """Two interleaved half circles under noise, in two columns."""
    from sklearn.datasets import make_moons

    x, y = make_moons(1000, noise=0.15, random_state=4)
    return x.astype(np.float32), y


def shells() -> Rows:
    """One Gaussian in six columns, cut into three classes of equal size by the distance from its centre."""
    from sklearn.datasets import make_gaussian_quantiles

    x, y = make_gaussian_quantiles(n_samples=1500, n_features=6, n_classes=3, random_state=5)
    return x.astype(np.float32), y


def board() -> Rows:
    """A chessboard of 3 x 3 fields in two of four columns; one label in ten is turned round."""
    rng = np.random.default_rng(6)
    x = rng.uniform(0.0, 3.0, (1000, 4))
    y = np.floor(x[:, :2]).sum(axis=1).astype(int) % 2
    return x.astype(np.float32), np.where(rng.random(1000) < 0.1, 1 - y, y)
