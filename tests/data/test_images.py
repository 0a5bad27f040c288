"""Images from folders, one per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset
from sweeper.data.images import load_images
from sweeper.data.prepare import prepare
from sweeper.errors import InputError

RNG = np.random.default_rng(0)


def draw(path: Path, brightness: int, size: tuple[int, int] = (12, 9)) -> None:
    """A noisy image of this brightness: width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = RNG.integers(0, 20, (size[1], size[0], 3))
    Image.fromarray((noise + brightness).astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images of each of two classes, in three formats, and files that are none."""
    for number in range(20):
        ending = ("png", "jpg", "BMP")[number % 3]
        draw(tmp_path / "photos" / "dark" / f"{number:02}.{ending}", 10)
        draw(tmp_path / "photos" / "bright" / f"{number:02}.{ending}", 200)
    (tmp_path / "photos" / "dark" / "notes.txt").write_text("taken at night")
    (tmp_path / "photos" / ".DS_Store").write_text("hidden")
    return tmp_path / "photos"


def prepared(folder: Path, **keys: object) -> Dataset:
    """The data of a folder."""
    return prepare(Data.model_validate({"source": f"{folder}/", "image_size": 8, **keys}), "classification")


def test_a_folder_per_class(folder: Path) -> None:
    """Classes are the folders' names; channels are standardised on the training part; the notes tell what was passed over."""
    data = prepared(folder)
    assert data.input_shape == (3, 8, 8)
    assert data.labels == ("bright", "dark")
    assert data.summary["rows"] == {"train": 24, "val": 8, "test": 8}
    assert data.summary["images"] == {"files": 40, "size": 8, "mode": "rgb", "ignored_files": 1}
    assert data.train.x.dtype == np.float32
    np.testing.assert_allclose(data.train.x.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.x.std((0, 2, 3)), 1, atol=1e-5)
    assert ((data.train.x.mean((1, 2, 3)) < 0) == (data.train.y == 1)).all()


def test_grey_is_one_channel_and_production_reads_alike(folder: Path) -> None:
    """What ``load_images`` reads of a file, and the preprocessing makes of it, is the prepared row."""
    data = prepared(folder, image_mode="grey", scale="minmax")
    assert data.input_shape == (1, 8, 8)
    files = sorted((folder / "bright").iterdir()) + sorted(file for file in (folder / "dark").iterdir() if file.suffix != ".txt")
    raw = load_images(files, 8, "grey")
    assert raw.dtype == np.uint8
    rows = {row.tobytes() for row in data.preprocessing.transform(raw)}
    assert rows == {row.tobytes() for part in (data.train, data.val, data.test) for row in part.x}


def test_parts_in_folders_are_respected(folder: Path, tmp_path: Path) -> None:
    """Images below test are the test part; a missing val is cut from train."""
    (tmp_path / "parted").mkdir()
    folder.rename(tmp_path / "parted" / "train")
    for number in range(5):
        draw(tmp_path / "parted" / "test" / "dark" / f"{number}.png", 12)
        draw(tmp_path / "parted" / "test" / "bright" / f"{number}.png", 190)
    data = prepared(tmp_path / "parted")
    assert data.summary["rows"] == {"train": 32, "val": 8, "test": 10}
    assert data.test.y.tolist() == [0] * 5 + [1] * 5


def test_the_same_files_have_the_same_hash_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    """Names below the folder and bytes are what counts, not the order in which a disk lists them, nor the size they are scaled to."""
    before = prepared(folder)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in sorted(folder.glob("*/*"), reverse=True):
        (moved / file.parent.name).mkdir(exist_ok=True)
        (moved / file.parent.name / file.name).write_bytes(file.read_bytes())
    after = prepared(moved)
    assert after.hash == before.hash == prepared(folder, image_size=4).hash
    assert np.array_equal(after.train.x, before.train.x)
    (moved / "dark" / "00.png").rename(moved / "bright" / "zz.png")
    assert prepared(moved).hash != before.hash


def test_an_image_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    """The EXIF orientation 6 means: turn by 90 degrees clockwise."""
    pixels = np.zeros((2, 2), dtype=np.uint8)
    pixels[0] = 255  # bright above
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert load_images([tmp_path / "a.png"], 2, "grey")[0, 0].tolist() == [[0, 255], [0, 255]]


def test_every_unreadable_file_is_named_in_one_error(folder: Path) -> None:
    """Text in place of pixels, half a file, and pixels of 16 bits."""
    (folder / "dark" / "text.png").write_text("no image")
    whole = (folder / "dark" / "00.png").read_bytes()
    (folder / "bright" / "half.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)).save(folder / "dark" / "deep.png")
    with pytest.raises(InputError) as caught:
        prepared(folder)
    names = [Path(problem.source).name for problem in caught.value.problems]
    assert names == ["half.png", "deep.png", "text.png"]
    assert all(problem.found.startswith("not a readable image: ") for problem in caught.value.problems)
    assert "8 bits per channel" in caught.value.problems[1].found


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["a/1.png", "b/notes.txt"], "no images in this folder"),
        (["1.png"], "no sub-folders"),
        (["train/a/1.png", "valid/a/1.png"], "beside train there is 'valid'"),
    ],
)
def test_another_layout_is_told(tmp_path: Path, files: list[str], found: str) -> None:
    """With the folder that is at fault."""
    for name in files:
        if name.endswith(".png"):
            draw(tmp_path / name, 10)
        else:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text("text")
    with pytest.raises(InputError) as caught:
        prepared(tmp_path)
    assert found in caught.value.problems[0].found
