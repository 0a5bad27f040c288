"""Reading a file of text that somebody names: of bounded size, in UTF-8, with a sentence for everything else."""

from __future__ import annotations

from pathlib import Path

from sweeper.config import nearest
from sweeper.errors import InputError, Problem

MOST_BYTES = 256 * 1024


def read_text(path: Path) -> str:
    """The text of a file of at most 256 KiB of UTF-8.

    Raises:
        InputError: missing (naming the nearest), a directory, unreadable, too large or not UTF-8.
    """
    source = str(path)
    try:
        if path.is_dir():
            raise InputError.of(source, "", "this is a directory", "a YAML file", _example_in(path))
        if not path.exists():
            raise InputError.of(source, "", "no such file", "a YAML file", _neighbour(path))
        if not path.is_file():
            raise InputError.of(source, "", "this is not a regular file", "a YAML file")
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError.of(source, "", f"the file cannot be read: {reason}") from error
    if len(raw) > MOST_BYTES:
        raise InputError([too_large(source)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", errors="ignore")
        line, column = position_of(before, len(before))
        raise InputError(
            [Problem(source, "", f"byte 0x{raw[error.start]:02x} is not UTF-8", "UTF-8", "save the file as UTF-8", line, column)]
        ) from error


def position_of(text: str, offset: int) -> tuple[int, int]:
    """1-based line and column of an offset."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def too_large(source: str) -> Problem:
    """The problem of a text of more than 256 KiB."""
    return Problem(
        source,
        "",
        f"larger than {MOST_BYTES // 1024} KiB",
        f"at most {MOST_BYTES // 1024} KiB",
        "a space is a page of text: is this the right file?",
    )


def _neighbour(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted(p.name for p in folder.glob("*.y*ml"))
    return nearest.hint(path.name, names) if names else ""


def _example_in(folder: Path) -> str:
    names = sorted(p.name for p in folder.glob("*.y*ml"))
    return f"write {folder / names[0]}" if names else ""
