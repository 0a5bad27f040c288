"""Data that stays in files is prepared as data in memory is: the same parts, numbers, labels, summary and hash."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweeper.config.schema import Data
from sweeper.data import readers, stream
from sweeper.data.dataset import Dataset
from sweeper.data.elsewhere import heard, told
from sweeper.data.prepare import prepare
from sweeper.data.readers import Mapped, map_of
from sweeper.data.stream import Streamed
from sweeper.errors import InputError, Problem

RNG = np.random.default_rng(0)
X, Y = RNG.normal(3, 2, size=(90, 5, 4)).astype(np.float32), np.arange(90) % 3
X[:, 2, 1] = X[:, 4, 1] = 7.0  # constant within a feature that is not
X[80] = X[2]

MODULE = """
    import numpy as np

    X, Y = np.load({path!r}), np.arange(90) % 3

    class Rows:
        def __init__(self, begin, end):
            self.begin, self.end = begin, end

        def __len__(self):
            return self.end - self.begin

        def __getitem__(self, row):
            return X[self.begin + row], Y[self.begin + row]

    def items():
        return Rows(0, 90)

    def parts():
        return {{"train": Rows(0, 60), "test": Rows(60, 90)}}

    def mapped():
        return np.load({path!r}, mmap_mode="r"), Y

    def held():
        return X, Y
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The arrays in every form."""
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "when.npy", np.arange(90)[::-1])
    np.savez(tmp_path / "plain.npz", other=np.arange(7), x=X, y=Y)
    np.savez_compressed(tmp_path / "small.npz", x=X, y=Y)
    lines = MODULE.format(path=str(tmp_path / "x.npy")).splitlines()
    (tmp_path / "my_rows.py").write_text("\n".join(line.removeprefix("    ") for line in lines))
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("my_rows", None)


def both(source: object, beside: Path = Path(), **keys: object) -> tuple[Dataset, Dataset]:
    """In memory and streamed."""
    given = {"source": str(source), **keys}
    held, streamed = (
        prepare(Data.model_validate({**given, "stream": how}), "classification", source=str(beside / "space.yaml"))
        for how in ("auto", True)
    )
    return held, streamed


def alike(held: Dataset, streamed: Dataset) -> None:
    """Everything is the same, bit for bit; also for a process that is only told of it."""
    assert isinstance(streamed.train.x, Streamed)
    assert isinstance(held.train.x, np.ndarray)
    for one, other in zip((held.train, held.val, held.test), (streamed.train, streamed.val, streamed.test), strict=True):
        assert other.x.shape == one.x.shape
        assert other.x.dtype == one.x.dtype
        assert np.array_equal(other.x[:], one.x)
        assert np.array_equal(other.y, one.y)
        assert isinstance(other.x, Streamed)
        tree = told(other.x)
        plain = json.loads(json.dumps({name: part for name, part in tree.items() if name != "rows"}))
        assert np.array_equal(heard({**plain, "rows": tree["rows"]})[:], one.x)
    assert streamed.preprocessing == held.preprocessing
    assert (streamed.hash, streamed.labels, streamed.tokens) == (held.hash, held.labels, held.tokens)
    assert streamed.summary == {**held.summary, "streamed": True}


@pytest.fixture(params=["whole", "pieces"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything at once, or a few rows at a time."""
    if request.param == "pieces":
        monkeypatch.setattr(readers, "PIECE_BYTES", 800)
        monkeypatch.setattr(readers, "MAPPED_BYTES", 400)
        monkeypatch.setattr(readers, "AROUND", 100)
        monkeypatch.setattr(stream, "PREPARED_BYTES", 400)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("source", ["", "x.npy", "plain.npz", "my_rows:items", "my_rows:parts", "my_rows:mapped"])
def test_a_streamed_source_is_the_resident_one(folder: Path, source: str) -> None:
    """Folders and files of arrays, data sets, memory maps."""
    if source.startswith("my_rows"):
        alike(*both(source, folder))
    else:
        (folder / "when.npy").unlink()
        alike(*both(folder / source if source else folder))


def test_every_key_of_the_section_works(folder: Path) -> None:
    """A split by time and another scale; what is constant and what stands in two parts is counted."""
    held, streamed = both(folder / "x.npy", split={"by": "time", "column": "when"}, scale="minmax")
    alike(held, streamed)
    assert streamed.summary["constant"] == {"number": 2, "first": ["2, 1", "4, 1"]}
    assert sum(streamed.summary["duplicates"].values()) == 1


def test_images_are_decoded_when_they_are_needed(tmp_path: Path) -> None:
    """The same pixels; a file that is none is told before anything is trained."""
    for number in range(40):
        file = tmp_path / ("dark", "bright")[number % 2] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(RNG.integers(0, 255, (9, 7, 3), dtype=np.uint8)).save(file)
    alike(*both(f"{tmp_path}/", image_size=8))
    (tmp_path / "dark" / "x.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"x\.png.*not a readable image"):
        both(f"{tmp_path}/", image_size=8)


def test_token_numbers(tmp_path: Path) -> None:
    """Rows of token numbers stay whole numbers; what training has not seen is unknown, and no row is empty."""
    ids = np.zeros((60, 6), dtype=np.int32)
    ids[:, :4] = RNG.integers(2, 20, (60, 4))
    ids[50], ids[59, 0] = 0, 400
    np.savez(tmp_path / "t.npz", x=ids, y=np.arange(60) % 2, t=np.arange(60))
    keys: dict[str, Any] = {"tokens": {"level": "id"}, "split": {"by": "time", "column": "t"}}
    held, streamed = both(tmp_path / "t.npz", **keys)
    alike(held, streamed)
    assert held.tokens == int(ids[:36].max()) + 1 == streamed.tokens
    assert held.train.x.dtype == np.int64
    assert np.array_equal(held.train.x[:], ids[:36])
    assert held.test.x[2].tolist() == [1, 0, 0, 0, 0, 0]
    assert held.test.x[11, 0] == 1


@pytest.mark.parametrize(("x", "found"), [(X[:, :, 0], "type float32"), (np.full((90, 3), -1), "the token number -1")])
def test_what_cannot_be_token_numbers_is_refused(tmp_path: Path, x: np.ndarray, found: str) -> None:
    """Under the key that says that they are."""
    np.savez(tmp_path / "t.npz", x=x, y=Y)
    with pytest.raises(InputError, match=found) as error:
        prepare(Data.model_validate({"source": str(tmp_path / "t.npz"), "tokens": {"level": "id"}}), "classification")
    assert error.value.problems[0].path == "data.tokens.level"


def test_a_worker_calls_the_function_again(folder: Path) -> None:
    """A data set is not sent: its function is, and gives the same rows where the module is not imported yet."""
    _, streamed = both("my_rows:parts", folder)
    sent = pickle.dumps(streamed.test.x)
    del sys.modules["my_rows"]
    assert len(sent) < 5000
    assert np.array_equal(pickle.loads(sent)[:], streamed.test.x[:])  # noqa: S301 - our own


def test_auto_goes_by_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data is in memory whatever is free; large data where it takes less than the share of it."""
    (folder / "when.npy").unlink()
    data = Data(source=str(folder))
    monkeypatch.setattr(stream, "free_memory", lambda: 0)
    assert isinstance(prepare(data, "classification").train.x, np.ndarray)
    monkeypatch.setattr(stream, "LEAST", 1000)
    assert isinstance(prepare(data, "classification").train.x, Streamed)
    monkeypatch.setattr(stream, "free_memory", lambda: X.nbytes * 9)
    assert isinstance(prepare(data, "classification").train.x, np.ndarray)


def refusals(folder: Path) -> dict[str, Callable[[], object]]:
    """Ways to write what cannot be streamed or read."""
    other = folder / "other"
    other.mkdir()
    np.save(other / "x.npy", np.asfortranarray(X))
    np.save(other / "y.npy", Y)
    objects = folder / "objects"
    objects.mkdir()
    np.save(objects / "x.npy", np.array([{}] * 90))
    np.save(objects / "y.npy", Y)
    broken = folder / "broken"
    broken.mkdir()
    gaps = X.copy()
    gaps[[4, 9], 0, 0] = np.nan
    np.save(broken / "x.npy", gaps)
    np.save(broken / "y.npy", Y)
    alone = folder / "alone"
    alone.mkdir()
    np.save(alone / "x.npy", X)
    return {
        "compressed": lambda: both(folder / "small.npz"),
        "by column": lambda: prepare(Data(source=str(other), stream=True), "classification"),
        "objects": lambda: both(objects),
        "gaps": lambda: prepare(Data(source=str(broken), stream=True), "classification"),
        "no target": lambda: both(alone),
        "in memory": lambda: both("my_rows:held", folder),
    }


@pytest.mark.parametrize(
    ("case", "path", "found"),
    [
        ("compressed", "data.stream", "is compressed, so that its rows cannot be read one by one"),
        ("by column", "data.stream", "column by column"),
        ("objects", "data.source", "no array of numbers or text: "),
        ("gaps", "data.source", "2 rows of the inputs hold NaN or infinite values, the first is row 5"),
        ("no target", "data.target", "there is no y.npy in"),
        ("in memory", "data.stream", "the function returns inputs that are in memory already"),
    ],
)
def test_each_way_to_fail_has_one_sentence(folder: Path, case: str, path: str, found: str) -> None:
    """The key, and how to mend it."""
    with pytest.raises(InputError) as error:
        refusals(folder)[case]()
    (problem,) = error.value.problems
    assert isinstance(problem, Problem)
    assert problem.path == path
    assert found in problem.found
    assert problem.allowed


def test_only_a_whole_memory_map_is_a_file(folder: Path) -> None:
    """A view of one does not say where in the file it begins."""
    whole = np.load(folder / "x.npy", mmap_mode="r")
    found = map_of(whole)
    assert isinstance(found, Mapped)
    assert np.array_equal(found.read(np.array([3, 1])), X[[3, 1]])
    assert map_of(whole[5:]) is None
    assert map_of(X) is None


def test_a_file_that_has_gone_is_said(folder: Path) -> None:
    """By its path, when its rows are wanted."""
    (folder / "when.npy").unlink()
    _, streamed = both(folder)
    sent = pickle.dumps(streamed.val.x)
    (folder / "x.npy").unlink()
    with pytest.raises(InputError, match=r"x\.npy.*cannot be read"):
        pickle.loads(sent)[:3]  # noqa: S301 - our own
