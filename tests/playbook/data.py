"""What the keys of the tables name: tables, folders and functions, few rows of each."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
from PIL import Image

MODULES = {
    "my_words": """
        def again(texts):
            return [text.replace("film", "plot") for text in texts]
    """,
    "my_data": """
        import numpy as np

        def parts():
            x = np.random.default_rng(0).normal(size=(240, 6))
            return {"train": (x[:160], x[:160, 0] > 0), "val": (x[160:200], x[160:200, 0] > 0), "test": (x[200:], x[200:, 0] > 0)}
    """,
}
"""Code of a user's own, beside the space."""


def write_data(folder: Path) -> None:
    """What the keys of the tables name: tables of texts and of two labels, folders of pictures, texts and arrays, and functions."""
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "film", "not", "very", "the", "end", "plot"])
    texts_ = [" ".join(rng.choice(words, 6)) for _ in range(320)]
    (folder / "reviews.csv").write_text("review,stars\n" + "".join(f"{text},{'many' if 'good' in text else 'few'}\n" for text in texts_))
    people = rng.normal(size=(320, 2)).round(2)
    (folder / "tags.csv").write_text("a,b,tall,old\n" + "".join(f"{a},{b},{int(a > 0)},{int(b > 0)}\n" for a, b in people))
    for name in ("cats", "dogs"):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(80):
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / "photos" / name / f"{number}.png")
    for number, text in enumerate(texts_[:120]):
        (label := folder / "remarks" / ("many" if "good" in text else "few")).mkdir(parents=True, exist_ok=True)
        (label / f"{number}.txt").write_text(text)
    inputs = {"arrays": rng.normal(size=(240, 6)).astype(np.float32), "numbers": rng.integers(1, 10, (240, 5))}
    for name, x in inputs.items():
        (folder / name).mkdir()
        np.save(folder / name / "x.npy", x)
        np.save(folder / name / "y.npy", x[:, 0] > x[:, 1])
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(dedent(code))
