"""Five small tasks that need no download, and the space that is searched on them.

Two are synthetic. In three, one label in twenty is flipped: where a validation part is separable, and on breast_cancer some are, the best
loss is a thousandth and one per cent of it means nothing; with the flips it is well above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper.config.space import Space

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset

SPACE = Path(__file__).resolve().parents[1] / "spaces" / "quality_mlp.yaml"
TASKS = ("digits", "breast_cancer", "diabetes", "table", "spirals")
REGRESSION = ("diabetes",)
ROWS, FLIPPED = 1000, 0.05


def table() -> tuple[np.ndarray, np.ndarray]:
    """Four classes in 20 columns, of which 10 inform and 4 repeat: ``[n, 20]``, ``[n]``."""
    from sklearn.datasets import make_classification

    # flip_y draws a label anew, which in one case of four is the label it was.
    x, y = make_classification(ROWS, 20, n_informative=10, n_redundant=4, n_classes=4, flip_y=FLIPPED * 4 / 3, random_state=0)
    return x.astype(np.float32), y


def spirals() -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved spirals of one and a half turns: ``[n, 2]``, ``[n]``."""
    rng = np.random.default_rng(0)
    arm = rng.integers(0, 2, ROWS)
    turn = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, ROWS))
    points = np.stack([turn * np.cos(turn + np.pi * arm), turn * np.sin(turn + np.pi * arm)], axis=1) / (3 * np.pi)
    flip = rng.random(ROWS) < FLIPPED
    return (points + rng.normal(0, 0.05, (ROWS, 2))).astype(np.float32), np.where(flip, 1 - arm, arm)


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's, with flipped labels: ``[n, 30]``, ``[n]``."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    flip = np.random.default_rng(0).random(len(y)) < FLIPPED
    return x.astype(np.float32), np.where(flip, 1 - y, y)


MADE = {"breast_cancer": breast_cancer, "table": table, "spirals": spirals}


def source(task: str, folder: Path) -> str:
    """``data.source`` of the task; a synthetic one is written into ``folder`` once."""
    if task not in MADE:
        return task
    path = folder / f"{task}.npz"
    if not path.exists():
        x, y = MADE[task]()
        np.savez(path, x=x, y=y)
    return str(path.absolute())


def overrides(task: str, seed: int, trials: int, folder: Path, search: Sequence[str] = ()) -> list[str]:
    """What ``--set`` says for a task: the seed fixes the split and the configs; ``search`` is the arm's own."""
    return [
        f"task={'regression' if task in REGRESSION else 'classification'}",
        f"data.source={source(task, folder)}",
        f"data.seed={seed}",
        f"search.seed={seed}",
        f"search.trials={trials}",
        *search,
    ]


def space_and_data(settings: Sequence[str]) -> tuple[Space, Dataset]:
    """The space with these settings, and its prepared data."""
    from sweeper.app.checks import prepared

    space = Space.load(SPACE, settings)
    return space, prepared(space)
