"""Texts from folders, one per class."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.data.preprocess import Preprocessing
from sweeper.errors import InputError

WORDS = {"good": "a fine film", "bad": "a dull film"}


def write(folder: Path, number: int = 12) -> Path:
    """So many remarks of each class, the first with a byte-order mark."""
    for label, text in WORDS.items():
        (folder / label).mkdir(parents=True)
        for place in range(number):
            (folder / label / f"{place:02}.txt").write_text(f"{text}, number {place}\n", encoding="utf-8-sig" if not place else "utf-8")
    return folder


def prepared(folder: Path, **keys: object) -> Dataset:
    """The data of a folder."""
    return prepare(Data.model_validate({"source": f"{folder}/", **keys}), "classification")


def test_a_folder_per_class(tmp_path: Path) -> None:
    """Classes are the folders' names; texts go through the tokens of the section; other files are counted."""
    folder = write(tmp_path / "reviews")
    (folder / "good" / "notes.md").write_text("none")
    data = prepared(folder, tokens={"length": 4})
    assert data.labels == ("bad", "good")
    assert data.summary["rows"] == {"train": 14, "val": 5, "test": 5}
    assert data.summary["texts"] == {"files": 24, "ignored_files": 1}
    assert data.train.x.shape == (14, 4)
    assert data.tokens > 8
    assert isinstance(data.preprocessing, Preprocessing)
    first, unknown = data.preprocessing.transform(["a fine film", "a fine zebra"])
    assert first[1] == unknown[1] > 1 == unknown[2]


def test_the_hash_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    """Another text, or another name, is other data."""
    one = prepared(write(tmp_path / "one")).hash
    assert prepared(write(tmp_path / "two")).hash == one
    (tmp_path / "two" / "bad" / "05.txt").rename(tmp_path / "two" / "bad" / "99.txt")
    assert prepared(tmp_path / "two").hash != one


def test_given_parts_are_respected(tmp_path: Path) -> None:
    """Folders train, val and test divide the rows."""
    for part, number in (("train", 9), ("val", 4), ("test", 5)):
        write(tmp_path / part, number)
    assert prepared(tmp_path).summary["rows"] == {"train": 18, "val": 8, "test": 10}


def test_a_bad_byte_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    """Every such file at once."""
    folder = write(tmp_path / "reviews")
    (folder / "good" / "03.txt").write_bytes(b"fine\nna\xefve")
    (folder / "bad" / "04.txt").write_bytes(b"\xff")
    with pytest.raises(InputError) as error:
        prepared(folder)
    first, second = error.value.problems
    assert first.source.endswith("bad/04.txt")
    assert second.source.endswith("good/03.txt")
    assert second.found == "not UTF-8: byte 0xef in line 2"
    assert "UTF-8" in second.hint


def test_a_class_without_texts_is_refused(tmp_path: Path) -> None:
    """By the folder's name."""
    folder = write(tmp_path / "reviews")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty.*no texts in this folder"):
        prepared(folder)
