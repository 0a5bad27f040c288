"""The digits for the arms that are not sweeper: the same rows, splits and scaling."""

from __future__ import annotations

import numpy as np


def digits() -> dict[str, np.ndarray]:
    """float32 ``x`` ``[n, 64]`` and int64 ``y`` ``[n]`` of the training part, ``x_val`` and ``y_val`` of the validation part."""
    from sweeper.config.schema import Data
    from sweeper.data.prepare import prepare

    prepared = prepare(Data(source="digits"), "classification")
    return {
        "x": prepared.train.seen().reshape(len(prepared.train), -1),
        "y": prepared.train.y,
        "x_val": prepared.val.seen().reshape(len(prepared.val), -1),
        "y_val": prepared.val.y,
    }
