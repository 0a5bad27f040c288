"""Files that people name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.config.strict_yaml import load_file
from sweeper.config.text_file import MOST_BYTES
from sweeper.errors import InputError


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    """A typo in a file name is answered with the file that was meant."""
    (tmp_path / "mlp.yaml").write_text("name: a")
    with pytest.raises(InputError, match=r'no such file.*did you mean "mlp\.yaml"\?'):
        load_file(tmp_path / "mpl.yaml")
    with pytest.raises(InputError, match="there is no folder"):
        load_file(tmp_path / "nowhere" / "mlp.yaml")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """A directory is answered with a file in it."""
    (tmp_path / "mlp.yaml").write_text("name: a")
    with pytest.raises(InputError, match=r"this is a directory.*write .*mlp\.yaml"):
        load_file(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0.yaml"])
def test_an_unreadable_path_is_a_sentence(tmp_path: Path, name: str) -> None:
    """What the operating system refuses is told without a traceback."""
    with pytest.raises(InputError, match=r"cannot be read|no such file"):
        load_file(tmp_path / name)


def test_a_device_is_not_read() -> None:
    """Something endless is not read."""
    with pytest.raises(InputError, match="not a regular file"):
        load_file(Path("/dev/zero"))


def test_bytes_that_are_not_utf_8_have_a_position(tmp_path: Path) -> None:
    """A Latin-1 umlaut is named with its place."""
    file = tmp_path / "a.yaml"
    file.write_bytes(b"name: a\ntask: gr\xfcn\n")
    with pytest.raises(InputError) as error:
        load_file(file)
    (problem,) = error.value.problems
    assert (problem.line, problem.column) == (2, 9)
    assert "0xfc" in problem.found


def test_a_byte_order_mark_is_nothing(tmp_path: Path) -> None:
    """Files of editors that write a byte order mark are read."""
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: a\n")
    assert load_file(file).data == {"name": "a"}


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    """A file of the wrong kind is refused by its size."""
    file = tmp_path / "data.csv"
    file.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="larger than 256 KiB"):
        load_file(file)
