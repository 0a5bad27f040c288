"""Tables of synonyms, as token numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sweeper.config.schema import Data, Tokens
from sweeper.config.space import Space
from sweeper.data.prepare import prepare
from sweeper.data.synonyms import synonyms_of
from sweeper.data.text import fit_text
from sweeper.errors import InputError

INPUTS = fit_text(["good fine nice bad good fine good"], "remark", Tokens())  # good 2, fine 3, bad 4, nice 5


def test_only_words_of_the_vocabulary_count() -> None:
    """On either side, whatever their case; a word is no synonym of itself, and what is passed over is counted."""
    found = synonyms_of({"Good": ["fine", "NICE", "splendid", "good"], "zebra": ["bad"], "bad": ["awful"]}, INPUTS, "s.yaml")
    assert found.by_token == {2: (3, 5)}
    assert found.passed_over == 4


def test_a_file_of_lines(tmp_path: Path) -> None:
    """Beside the space; comments and empty lines are passed over, bad lines are told, all of them."""
    file = tmp_path / "words.txt"
    file.write_text("# mine\n\ngood: fine , nice\nbad: good\n")
    assert synonyms_of("words.txt", INPUTS, str(tmp_path / "s.yaml")).by_token == {2: (3, 5), 4: (2,)}
    file.write_text("good fine\ngood:\n: fine\n")
    with pytest.raises(InputError) as error:
        synonyms_of(str(file), INPUTS, "s.yaml")
    assert [problem.found for problem in error.value.problems] == ["line 1: 'good fine'", "line 2: 'good:'", "line 3: ': fine'"]


def test_the_file_is_found_again_from_elsewhere(tmp_path: Path) -> None:
    """A space says where the table lies beside it."""
    (tmp_path / "words.txt").write_text("good: fine\n")
    space = tmp_path / "s.yaml"
    space.write_text("name: s\ndata: {source: synthetic_text, synonyms: words.txt}\nmodel: {family: rnn}\n")
    assert Space.load(space).base.data.synonyms == str(tmp_path / "words.txt")


def test_a_users_module_is_found_again_from_elsewhere(tmp_path: Path) -> None:
    """A space says in which folder it is, unless that is the working directory or nobody's; what a file says stays."""
    (tmp_path / "my_words_beside.py").write_text("")
    space = tmp_path / "s.yaml"
    for data, folder in (
        ("source: synthetic_text, rewrite: my_words_beside:again", str(tmp_path)),
        ("source: my_words_beside:load", str(tmp_path)),
        ("source: my_words_beside:load, folder: /here", "/here"),
        ("source: sweeper.data.synthetic:text", None),
    ):
        space.write_text(f"name: s\ndata: {{{data}}}\nmodel: {{family: rnn}}\n")
        assert Space.load(space).base.data.folder == folder


def test_the_table_belongs_to_the_data() -> None:
    """Workers get it with the rows, the summary tells of it, and another table is other data."""
    given: dict[str, Any] = {"source": "synthetic_text", "params": {"rows": 200}}
    plain, one, other = (
        prepare(Data.model_validate(given | keys), "classification")
        for keys in ({}, {"synonyms": {"superb": ["brilliant"]}}, {"synonyms": {"brilliant": ["superb"]}})
    )
    (token,) = one.synonyms
    assert other.synonyms == {one.synonyms[token][0]: (token,)}
    assert one.summary["synonyms"] == {"words": 1, "passed_over": 0}
    assert len({plain.hash, one.hash, other.hash}) == 3


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"source": "digits", "synonyms": {"a": ["b"]}}, "the rows are no texts of words"),
        ({"source": "synthetic_text", "synonyms": {"zebra": ["horse"]}}, "none of 1 words has a synonym within the vocabulary"),
        ({"source": "synthetic_text", "synonyms": "nowhere.txt"}, "'nowhere.txt' cannot be read"),
        ({"source": "synthetic_text", "synonyms": {"a": ["b"]}, "tokens": {"level": "char"}}, "the rows are no texts of words"),
    ],
)
def test_each_way_to_fail_has_one_sentence(keys: dict[str, Any], found: str) -> None:
    """Under the key."""
    with pytest.raises(InputError, match=re.escape(found)) as error:
        prepare(Data.model_validate(keys), "classification")
    assert error.value.problems[0].path == "data.synonyms"
