"""``sweeper lr-range``: the range test of a space's default config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sweeper.app.checks import prepared
from sweeper.app.home import Home
from sweeper.app.provenance import run_tags
from sweeper.atomic import replace_bytes, replace_text
from sweeper.config.files import find_space, flat, tree_of
from sweeper.config.space import Space

if TYPE_CHECKING:
    from sweeper.lr_range.run import LrRangeResult


@dataclass(frozen=True)
class Tested:
    """A range test and where it was put.

    Attributes:
        folder: ``runs/<name>/lr_range``, with ``result.json`` and the figure as PNG and HTML.
        trouble: why MLflow does not have it; None when it has.
    """

    result: LrRangeResult
    folder: Path
    trouble: str | None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**self.result.as_dict(), "folder": str(self.folder), "tracking_trouble": self.trouble}


def run(space_name: str, overrides: Sequence[str], *, steps: int, seeds: int, low: float, high: float) -> Tested:
    """Test the default config of a space, write result and figure, and record them in MLflow.

    Raises:
        InputError: bad input; nothing has been created.
    """
    home = Home.from_environment()
    space = Space.load(find_space(space_name), overrides)
    data = prepared(space)

    from sweeper.lr_range.figure import html, png
    from sweeper.lr_range.run import lr_range_test

    result = lr_range_test(space.base, data, low=low, high=high, steps=steps, seeds=seeds)
    folder = home.sweep_dir(space.name) / "lr_range"
    replace_text(folder / "result.json", result.to_json())
    replace_bytes(folder / "lr_range.png", png(result))
    replace_text(folder / "lr_range.html", html(result))

    from sweeper.tracking.runs import log_lr_range

    trouble = log_lr_range(
        home.tracking_uri,
        home.artifacts,
        experiment=space.name,
        name=f"lr-range/{space.name}",
        params=flat(tree_of(space.base)),
        tags={**run_tags(), "status": result.judgement.status.value, "sentence": result.judgement.sentence},
        lrs=result.lrs.tolist(),
        losses=result.losses.tolist(),
        files=sorted(folder.iterdir()),
    )
    return Tested(result, folder, trouble)


def show(tested: Tested) -> None:
    """Print the result for people."""
    from sweeper.lr_range.figure import chart

    home, console, result = Home.from_environment(), Console(highlight=False), tested.result
    verdict = result.judgement
    console.print(
        f"learning-rate range test of {result.name} with {result.optimizer}, {result.horizon} steps, {len(result.losses)} seeds",
        markup=False,
    )
    console.print(chart(result), markup=False)
    console.print(f"{verdict.status}: {verdict.sentence}", markup=False)
    if verdict.suggestion is not None and verdict.bracket is not None:
        console.print(f"suggestion  [bold]{verdict.suggestion:.2g}[/]      at most, with warm-up and decay: {verdict.max_lr:.2g}")
        console.print(f"search      lr: {{log: [{verdict.bracket[0]:.2g}, {verdict.bracket[1]:.2g}]}}", markup=False)
    console.print(f"figure      {home.shown(tested.folder / 'lr_range.html')} (and .png)")
    if tested.trouble:
        console.print(f"MLflow does not have this test: {tested.trouble}", markup=False)
