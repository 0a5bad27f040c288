"""All commands of ``sweeper``. Heavy packages are imported by the command that needs them, so that ``--help`` is quick."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeper import __version__
from sweeper.cli.stdout import kept

cli = typer.Typer(
    name="sweeper",
    help="Hyperparameter search and learning-rate range tests for PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


RUNNERS = "ray: worker processes; local: in this process, for a debugger; auto: in this process, with helpers or Ray when they pay"


class Runner(StrEnum):
    """Where trials are trained."""

    AUTO = "auto"
    RAY = "ray"
    LOCAL = "local"


SCALES = "log: many orders of magnitude; linear: a closer look at one, with the validation accuracy by the way"
PROBE = (
    "afterwards compare constant rates about the ladder's suggestion, 3 seeds each on the same rows, until the best is not the last one; "
    "or look for one all the way up where the ladder shows nothing"
)
METRICS = "what the probe compares; default: train_loss, which suggests far too high rates for weights that were trained before: val_loss"
DECAYS = "one test per weight decay: 0,1e-4,1e-2; tells the largest that costs no validation loss at a high rate"


class LadderScale(StrEnum):
    """How the learning rate of a range test climbs."""

    LOG = "log"
    LINEAR = "linear"


class ProbeMetric(StrEnum):
    """What constant learning rates are compared by."""

    TRAIN_LOSS = "train_loss"
    VAL_LOSS = "val_loss"


SpaceName = Annotated[str, typer.Argument(metavar="SPACE", help="a shipped or own space by name (search_spaces/NAME.yaml), or a path")]
SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="the sweep's name, as in `sweeper list`")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="replace a key; a value, or a distribution such as '{log: [1e-4, 1e-2]}'"),
]
Trials = Annotated[
    int | None, typer.Option("--trials", metavar="N", help="in place of search.trials; more than before extends a finished sweep")
]
Name = Annotated[str | None, typer.Option("--name", help="of the sweep; default: the space's name")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout, and nothing else there")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sweeper {__version__}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")] = False,
) -> None: ...


@cli.command()
def sweep(
    space: SpaceName,
    trials: Trials = None,
    overrides: Overrides = None,
    name: Name = None,
    runner: Annotated[Runner, typer.Option(help=RUNNERS)] = Runner.AUTO,
    fresh: Annotated[bool, typer.Option("--fresh", help="start a new sweep, whatever there is")] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="start even where a look at the data says that it cannot work")] = False,
    as_json: Json = False,
) -> None:
    """Search a space and keep the best config. Run again, it resumes an open sweep or shows a finished one."""
    from sweeper.app.outcome import as_dict, show, show_pending
    from sweeper.app.sweep import Request
    from sweeper.app.sweep import sweep as run

    request = Request(space, overrides or (), trials, name, runner.value, fresh, quiet=as_json, check=not no_check)
    if as_json:
        with kept(as_json):
            finished = run(request, _to_stderr, lambda _: None)
        _print_json(as_dict(finished))
    else:
        finished = run(request, print, show)
        show_pending(finished)
    raise typer.Exit(finished.exit_code)


@cli.command()
def plan(space: SpaceName, trials: Trials = None, overrides: Overrides = None, name: Name = None, as_json: Json = False) -> None:
    """Tell what `sweep` would do, without doing it.

    The space alone is read, not the data: that is for `check`.
    """
    from sweeper.app.plan import plan as make
    from sweeper.app.plan import show

    with kept(as_json):
        made = make(space, overrides or (), trials, name)
    if as_json:
        _print_json(made.as_dict())
    else:
        show(made)


@cli.command()
def check(space: SpaceName, overrides: Overrides = None, as_json: Json = False) -> None:
    """Look for mistakes before compute is spent.

    Checks the data, the model and training of the default config, the extreme configs, and what the sweep will cost.
    """
    from sweeper.app.check import row, run, show

    if as_json:
        with kept(as_json):
            checked = run(space, overrides or (), lambda _: None)
        _print_json(checked.as_dict())
    else:
        checked = run(space, overrides or (), row)
        show(checked)
    raise typer.Exit(checked.exit_code)


@cli.command("lr-range")
def lr_range(
    space: SpaceName,
    overrides: Overrides = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="optimizer steps, one per rung; default: 100, then 300 if those show nothing")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="fresh models whose median is judged")] = 5,
    scale: Annotated[LadderScale, typer.Option(help=SCALES)] = LadderScale.LOG,
    low: Annotated[float | None, typer.Option(help="first learning rate; default: 1e-7, linear: HIGH / STEPS")] = None,
    high: Annotated[float | None, typer.Option(help="last learning rate; default: 10, linear: where a log ladder's bracket ends")] = None,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help=PROBE)] = True,
    metric: Annotated[ProbeMetric | None, typer.Option(help=METRICS)] = None,
    probe_steps: Annotated[int | None, typer.Option(help="steps with each constant rate, 25 or more; default: as the ladder has")] = None,
    optimizers: Annotated[str | None, typer.Option(metavar="NAMES", help="one test per optimizer: adamw,sgd,lion")] = None,
    weight_decays: Annotated[str | None, typer.Option(metavar="NUMBERS", help=DECAYS)] = None,
    batch_sizes: Annotated[str | None, typer.Option(metavar="NUMBERS", help="one test per batch size: 32,128")] = None,
    as_json: Json = False,
) -> None:
    """Find the useful learning rates of a space's default config.

    Fresh models are trained for a few steps while the learning rate climbs, and others with constant rates about the one that the curve
    of the loss suggests; that says what to train with and what to search. With several optimizers, weight decays or batch sizes every
    combination is tested, and shown side by side.
    """
    from sweeper.app.lr_range import Options, run, show
    from sweeper.errors import InputError

    if metric and not probe:
        raise InputError.of("--metric", "", f"{metric.value} with --no-probe, which compares nothing", "one of the two")
    measure = (metric or ProbeMetric.TRAIN_LOSS).value if probe else None
    test = {"steps": steps, "seeds": seeds, "scale": scale.value, "low": low, "high": high, "probe": measure, "probe_steps": probe_steps}
    options = Options(test, optimizers, weight_decays, batch_sizes)
    with kept(as_json):
        tested = run(space, overrides or (), options, _to_stderr)
    if as_json:
        _print_json(tested.as_dict())
    else:
        show(tested)


@cli.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a complete config, such as runs/mlp/best.yaml")],
    overrides: Overrides = None,
    data: Annotated[str | None, typer.Option("--data", metavar="FILE", help="train on this file in place of data.source")] = None,
    as_json: Json = False,
) -> None:
    """Train one config as a production job.

    The model goes to runs/train/NAME-N/model.
    """
    from sweeper.app.train import run, show

    with kept(as_json):
        job = run(config, overrides or (), data, quiet=as_json)
    if as_json:
        _print_json(job.as_dict())
    else:
        show(job)


@cli.command("list")
def list_sweeps(as_json: Json = False) -> None:
    """All sweeps, with their state and best value."""
    from sweeper.app import queries

    queries.list_sweeps(_print_json if as_json else None)


@cli.command()
def show(
    what: Annotated[str, typer.Argument(metavar="SWEEP[/TRIAL]", help="a sweep, or one trial of it: mlp/17")],
    as_json: Json = False,
) -> None:
    """One sweep with its trials, or one trial with its epochs."""
    from sweeper.app import queries

    queries.show(what, _print_json if as_json else None)


@cli.command()
def best(
    sweep: SweepName,
    trial: Annotated[int | None, typer.Option("--trial", metavar="N", help="this trial in place of the winner")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="write the config there")] = None,
) -> None:
    """Print the winner's complete config, ready for `sweeper train`."""
    from sweeper.app import queries

    queries.best(sweep, trial, output)


@cli.command()
def cancel(sweep: SweepName) -> None:
    """Stop an open sweep: running trials end at their next report."""
    from sweeper.app import queries

    queries.cancel(sweep)


@cli.command()
def rm(sweep: SweepName) -> None:
    """Remove a sweep that is not running.

    Its files and its rows in the ledger go; MLflow keeps its runs.
    """
    from sweeper.app import queries

    queries.remove(sweep)


@cli.command()
def fsck(sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="default: all")] = None, as_json: Json = False) -> None:
    """Check that nothing was lost.

    Ledger, MLflow, the searcher and the files must agree; the exit code is 0 only if all invariants hold.
    """
    from sweeper.app.fsck import check, show

    report = check(sweep)
    if as_json:
        _print_json(report.as_dict())
    else:
        show(report)
    raise typer.Exit(report.exit_code)


@cli.command()
def sync(
    sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="default: all")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="go on until the sweep has ended", hidden=True)] = False,
) -> None:
    """Bring MLflow up to date with the ledger.

    For instance after its server was down. Exit code 3 when records are still missing.
    """
    from sweeper.app.sync import follow_sweep, sync_all

    raise typer.Exit(follow_sweep(sweep) if follow and sweep else sync_all(sweep))


@cli.command()
def schema() -> None:
    """Print the JSON schema of space files, for editors."""
    from sweeper.config.json_schema import space_json_schema

    _print_json(space_json_schema())


@cli.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    host: Annotated[str, typer.Option(help="only loopback is safe: the UI has no password")] = "127.0.0.1",
) -> None:
    """Open the MLflow UI on these sweeps."""
    from sweeper.app.ui import serve

    serve(host, port)


def _print_json(tree: Any) -> None:
    print(json.dumps(tree, indent=2, default=str))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
