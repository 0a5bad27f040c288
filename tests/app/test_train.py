"""What a production job tells."""

from __future__ import annotations

from typing import Any

import pytest

from sweeper.app.train import cause_of
from sweeper.config.files import config_from_tree

OWN = {"family": "custom", "path": "my_nets:build"}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"provenance": {"data_hash": "that of other rows"}, "model": OWN}, "the data is not what the sweep had"),
        ({"provenance": {"data_hash": "these"}}, "a GPU, another machine, other versions"),
        ({"model": OWN}, "edited code, a GPU"),
    ],
    ids=["data", "machine", "code"],
)
def test_a_value_that_does_not_come_out_again_has_a_cause(tree: dict[str, Any], words: str) -> None:
    """The likeliest first."""
    assert cause_of(config_from_tree({"name": "own", **tree}), "these").startswith(words)
