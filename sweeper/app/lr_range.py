"""``sweeper lr-range``: range tests of a space's default config, one or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sweeper.app.checks import prepared
from sweeper.app.home import Home
from sweeper.app.provenance import run_tags
from sweeper.atomic import replace_bytes, replace_text
from sweeper.config.files import find_space, flat, tree_of
from sweeper.config.space import Space
from sweeper.ledger.store import Ledger
from sweeper.usercode import blamed

if TYPE_CHECKING:
    from sweeper.config.schema import Config
    from sweeper.lr_range.decay import DecayReading
    from sweeper.lr_range.result import LrRangeResult
    from sweeper.lr_range.variants import Variant
    from sweeper.tracking.runs import RangeTestRun


@dataclass(frozen=True)
class Options:
    """What the command line says beside the space.

    Attributes:
        test: keyword arguments of ``lr_range_test``.
        optimizers, weight_decays, batch_sizes: as they were written; see ``sweeper.lr_range.variants.Wanted``.
    """

    test: Mapping[str, Any]
    optimizers: str | None = None
    weight_decays: str | None = None
    batch_sizes: str | None = None


@dataclass(frozen=True)
class Tested:
    """Range tests and where they were put.

    Attributes:
        results: one, or one per variant.
        decays: what was read off several weight decays.
        folder: ``runs/<name>/lr_range``, with the result as JSON and the figure as PNG and HTML.
        files: the three.
        trouble: why MLflow does not have it; None when it has.
        several: whether they are variants, even if there is one of them only.
        custom: whether the model is the user's own, whose weights may have been trained before.
    """

    results: tuple[LrRangeResult, ...]
    decays: tuple[DecayReading, ...]
    folder: Path
    files: tuple[Path, ...]
    trouble: str | None
    several: bool
    custom: bool

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: the result, or a list of them."""
        where = {"folder": str(self.folder), "files": [str(file) for file in self.files], "tracking_trouble": self.trouble}
        if not self.several:
            return {**self.results[0].as_dict(), **where}
        return {**_together(self.results, self.decays), **where}


def run(space_name: str, overrides: Sequence[str], options: Options, tell: Callable[[str], None]) -> Tested:
    """Test the default config of a space, write results and figures, and record them in MLflow.

    Nothing is written before everything has been tested and drawn.

    Args:
        space_name: a name or a path.
        overrides: ``key=value``.
        options: of the test.
        tell: gets a line before each of several tests.

    Raises:
        InputError: bad input; nothing has been created.
    """
    home = Home.from_environment()
    space = Space.load(find_space(space_name), overrides)
    data = prepared(space)

    from sweeper.lr_range.decay import readings
    from sweeper.lr_range.run import lr_range_test
    from sweeper.lr_range.variants import Wanted, variants

    wanted = Wanted(options.optimizers, options.weight_decays, options.batch_sizes)
    found = variants(space, overrides, wanted, len(data.train))
    results = []
    for number, variant in enumerate(found, 1):
        if len(found) > 1:
            tell(f"test {number} of {len(found)}: {variant.subject}")
        with blamed(variant.config, space.source):
            results.append(lr_range_test(variant.config, data, settings=variant.settings, **options.test))
    decays = readings(found, results, data)
    files = _write(home.sweep_dir(space.name) / "lr_range", results, decays, several=bool(wanted))
    trouble = _record(home, space, found, results, files, several=bool(wanted))
    return Tested(
        tuple(results), tuple(decays), files[0].parent, tuple(files), trouble, bool(wanted), found[0].config.model.family == "custom"
    )


def show(tested: Tested) -> None:
    """Print the result for people."""
    home, console = Home.from_environment(), Console(highlight=False)
    if tested.several:
        _show_table(tested, console)
    else:
        _show_one(tested, console)
    page = next(file for file in tested.files if file.suffix == ".html")
    console.print(f"figure      {home.shown(page)} (and .png)", markup=False, soft_wrap=True)
    if tested.trouble:
        console.print(f"MLflow does not have this test: {tested.trouble}", markup=False)


def _show_one(tested: Tested, console: Console) -> None:
    from sweeper.lr_range import view
    from sweeper.lr_range.chart import chart
    from sweeper.lr_range.probe import Measure
    from sweeper.lr_range.words import rate

    result = tested.results[0]
    verdict, probe = result.judgement, result.probe
    console.print(f"[bold]learning-rate range test[/] of {view.subject(result)}")
    console.print(view.account(result), style="dim", markup=False)
    if drawn := chart(result, width=min(console.width, 120) - 10):
        console.print(f"\n{drawn}\n", markup=False)
    console.print(f"{verdict.status}: {verdict.sentence}", markup=False)
    if (words := view.sureness(result)) is not None:
        console.print(words, style="dim", markup=False)
    if probe is not None:
        cost = f"{probe.horizon} steps with each, {probe.cost_steps:,} in {probe.seconds:.1f} s"
        console.print(f"probe {probe.verdict.status}: {probe.verdict.sentence} ({cost})", markup=False)
        if tested.custom and probe.measure is Measure.TRAIN_LOSS:
            console.print(view.PRETRAINED, style="dim", markup=False)
    if result.suggestion is not None:
        console.print(f"train with  [bold]lr {rate(result.suggestion)}[/]")
    if result.max_lr is not None:
        console.print(f"at most     lr {rate(result.max_lr)}, with warm-up and decay")
    if (line := view.search_line(result)) is not None:
        console.print(f"search      {line}", markup=False)


def _show_table(tested: Tested, console: Console) -> None:
    from sweeper.lr_range import view
    from sweeper.lr_range.sheet import CAPTION
    from sweeper.lr_range.words import rate

    first = tested.results[0]
    console.print(f"[bold]learning-rate range tests[/] of {first.name}, {view.span(tested.results)}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("optimizer", *first.settings, "train with", "at most", "search", "lowest loss", "status"):
        table.add_column(name.replace("_", " "), justify="right" if name in {"train with", "at most", "lowest loss"} else "left")
    for result in tested.results:
        verdict = result.judgement
        rates = [rate(lr) if lr is not None else "-" for lr in (result.suggestion, result.max_lr)]
        bracket = "-" if result.bracket is None else f"{rate(result.bracket[0])} to {rate(result.bracket[1])}"
        lowest = f"{min(verdict.smoothed):.3g}" if verdict.smoothed else "-"
        table.add_row(result.optimizer, *map(view.setting, result.settings.values()), *rates, bracket, lowest, result.status.value)
    console.print(table)
    for reading in tested.decays:
        console.print(f"{reading.sentence}.", markup=False)
    console.print(CAPTION, style="dim", markup=False)


def _together(results: Sequence[LrRangeResult], decays: Sequence[DecayReading]) -> dict[str, Any]:
    return {"tests": [result.as_dict() for result in results], "weight_decays": [reading.as_dict() for reading in decays]}


def _write(folder: Path, results: Sequence[LrRangeResult], decays: Sequence[DecayReading], *, several: bool) -> list[Path]:
    import json

    from sweeper.lr_range import figure, page, sheet

    if several:
        stem, text = "variants", json.dumps(_together(results, decays), indent=1, allow_nan=False) + "\n"
        image, interactive = sheet.png(results), sheet.html(results)
        result = folder / "variants.json"
    else:
        stem, text = "lr_range", results[0].to_json()
        image, interactive = figure.png(results[0]), page.html(results[0])
        result = folder / "result.json"
    still, live = folder / f"{stem}.png", folder / f"{stem}.html"
    replace_text(result, text)
    replace_bytes(still, image)
    replace_text(live, interactive)
    return [result, still, live]


def _record(
    home: Home, space: Space, found: Sequence[Variant], results: Sequence[LrRangeResult], files: Sequence[Path], *, several: bool
) -> str | None:
    from sweeper.tracking.runs import RangeTestRun, log_lr_range

    name, people = f"lr-range/{space.name}", run_tags()
    tests = [
        _as_run(f"{name}/{variant.subject}" if several else name, variant.config, people, result)
        for variant, result in zip(found, results, strict=True)
    ]
    whole = RangeTestRun(name, flat(tree_of(space.base)), {**people, "tests": len(tests)}) if several else tests[0]
    return log_lr_range(
        home.tracking_uri,
        home.artifacts,
        experiment=space.name,
        whole=whole,
        tests=tests if several else [],
        files=files,
        sweep_run=_sweep_run(home, space.name),
    )


def _as_run(name: str, config: Config, people: Mapping[str, Any], result: LrRangeResult) -> RangeTestRun:
    from sweeper.tracking.runs import RangeTestRun

    verdict, probe = result.judgement, result.probe
    tags: dict[str, Any] = {**people, "status": result.status.value, "sentence": result.sentence, "scale": result.scale.value}
    tags |= {"optimizer": result.optimizer, "horizon": result.answer["horizon"], "cost_steps": result.answer["cost_steps"]}
    if result.suggestion is not None and result.bracket is not None:
        tags |= {"suggestion": f"{result.suggestion:.3g}", "bracket": " ".join(f"{lr:.3g}" for lr in result.bracket)}
    if result.max_lr is not None:
        tags["max_lr"] = f"{result.max_lr:.3g}"
    if verdict.confidence is not None:
        tags["confidence"] = f"{verdict.confidence:.2f}"
    if probe is not None:
        tags |= {"probe": probe.measure.value, "probe.status": probe.verdict.status.value, "probe.sentence": probe.verdict.sentence}
    return RangeTestRun(
        name,
        flat(tree_of(config)),
        tags,
        result.lrs.tolist(),
        result.losses.tolist(),
        verdict.smoothed,
        [] if probe is None else probe.lrs.tolist(),
        [] if probe is None else probe.losses.tolist(),
    )


def _sweep_run(home: Home, name: str) -> str | None:
    """The run of the sweep of this name in MLflow, if there is one."""
    if not Ledger.exists(home.ledger_url):
        return None
    ledger = Ledger.open(home.ledger_url)
    return None if ledger.sweep(name) is None else ledger.tracked_sweep(name).run_id
