"""Words that may stand for each other, as token numbers of a fitted vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.data.text import RESERVED, TextInputs
from sweeper.errors import InputError, Problem

LINE = "a word, a colon and its synonyms, as in good: fine, nice"


@dataclass(frozen=True, slots=True)
class Synonyms:
    """What the training part's vocabulary has of a table.

    Attributes:
        by_token: the numbers that may stand for a number.
        passed_over: words of the table, on either side, that the vocabulary lacks.
    """

    by_token: Mapping[int, tuple[int, ...]]
    passed_over: int


def synonyms_of(written: Mapping[str, Sequence[str]] | str, inputs: object, source: str) -> Synonyms:
    """The table that ``data.synonyms`` holds or names.

    Args:
        written: synonyms by word, or the path of a file of lines ``word: a, b``, from here or from the folder of ``source``.
        inputs: fitted.
        source: the file that the config stands in.

    Raises:
        InputError: the rows are no texts of words, the file cannot be read, or no word of the table has a synonym in the vocabulary.
    """
    if not isinstance(inputs, TextInputs) or inputs.level != "word":
        raise InputError.of(source, "data.synonyms", "synonyms, and the rows are no texts of words", "only beside texts", "delete it")
    table = _read(written, source) if isinstance(written, str) else written
    numbers = {word: number for number, word in enumerate(inputs.vocabulary, RESERVED)}
    found: dict[int, tuple[int, ...]] = {}
    passed_over = 0
    for word, others in table.items():
        known = [numbers[other.lower()] for other in others if other.lower() in numbers and other.lower() != word.lower()]
        passed_over += len(others) - len(known) + (word.lower() not in numbers)
        if word.lower() in numbers and known:
            found[numbers[word.lower()]] = tuple(dict.fromkeys(known))
    if not found:
        told = f"none of {len(table)} words has a synonym within the vocabulary of the training part"
        raise InputError.of(source, "data.synonyms", told, "single words that occur in training", "or delete it and augment.token_synonym")
    return Synonyms(found, passed_over)


def _read(path: str, source: str) -> dict[str, list[str]]:
    """The lines of a file; empty ones and those that begin with # are passed over."""
    file = Path(path).expanduser()
    file = file if file.exists() else Path(source).parent / file
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.of(source, "data.synonyms", f"{path!r} cannot be read: {error}", f"a file of lines: {LINE}") from error
    table: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        word, colon, others = line.partition(":")
        listed = [one.strip() for one in others.split(",") if one.strip()]
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or not word.strip() or not listed:
            problems.append(Problem(str(file), "data.synonyms", f"line {number}: {line.strip()!r}"[:120], LINE))
        table.setdefault(word.strip(), []).extend(listed)
    if problems:
        raise InputError(problems)
    return table
