"""What is wrong with a space whatever the data."""

from __future__ import annotations

from sweeper.config.space import Space
from sweeper.preflight.finding import Status
from sweeper.preflight.space import ruling

SPACE = "name: s\nmodel: {family: mlp, width: {choice: [64, 128]}, depth: {int: [1, 3]}}\n"


def test_a_rule_with_a_typo() -> None:
    """A rule that forbids nothing warns in the words of the file; one that does is counted, and none is not spoken of."""
    row = ruling(Space.parse(SPACE + "forbid: [{model.width: 128, model.depth: 3}, {model.width: 96}]\n", "s.yaml"))
    assert row is not None
    assert (row.status, row.key) == (Status.WARN, "forbid")
    assert row.sentence == "no config matches forbid {model.width: [96]}"
    row = ruling(Space.parse(SPACE + "forbid: [{model.width: 128, model.depth: 3}]\n", "s.yaml"))
    assert row is not None
    assert row.status is Status.PASS
    assert ruling(Space.parse(SPACE, "s.yaml")) is None
