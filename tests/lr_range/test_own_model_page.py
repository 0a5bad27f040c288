"""The page for users' own models tells the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.lr_range.handed import HandedResult

PAGE = Path(__file__).parents[2] / "docs" / "lr-range-own-model.md"


def test_the_code_of_the_page_runs_as_it_stands(home: Path) -> None:
    """Block after block in one session, as a reader would; the suggestion is set, and the files are there."""
    torch.manual_seed(0)
    shown: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), shown)  # noqa: S102 - our own page
    assert isinstance(shown["result"], HandedResult)
    assert shown["result"].suggestion is not None
    assert shown["tuned"].suggestion < shown["tuned"].judgement.suggestion
    rates = [group["lr"] / shown["result"].suggestion for one in (shown["body"], shown["head"]) for group in one.param_groups]
    assert rates == pytest.approx([1.0, 0.01, 0.02])
    assert {path.name for path in home.iterdir()} == {"lr_range.png", "lr_range.html", "result.json"}
