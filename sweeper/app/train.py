"""``sweeper train``: a production job with a chosen config."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sweeper.app import insight
from sweeper.app.home import Home
from sweeper.app.provenance import run_tags
from sweeper.config.files import flat, load_config, tree_of
from sweeper.core.diagnose import Diagnosis, Reference, diagnose
from sweeper.core.sizes import Size
from sweeper.errors import InfrastructureError
from sweeper.tracking.words import number
from sweeper.trial import Outcome
from sweeper.usercode import blamed

if TYPE_CHECKING:
    from sweeper.config.schema import Config
    from sweeper.production.train import TrainResult
    from sweeper.trial import Report


@dataclass(frozen=True)
class Job:
    """A finished production job.

    Attributes:
        folder: ``runs/train/<name>-<n>``, with ``model/`` and ``insight/``.
        diagnosis: what was wrong with the training.
        size: ``parameters`` and ``flops_per_row`` of the model.
        trouble: why MLflow does not have it; None when it has.
        cause: what may keep a recorded value from coming out again.
    """

    result: TrainResult
    folder: Path
    diagnosis: Diagnosis | None
    size: dict[str, int]
    trouble: str | None
    cause: str

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        result = self.result
        return {
            "metrics": result.metrics,
            "best_epoch": result.best_epoch,
            "epochs": len(result.history),
            "reproduced": result.reproduced,
            "diagnosis": self.diagnosis and {"tag": self.diagnosis.tag.value, "sentence": self.diagnosis.sentence},
            "size": self.size,
            "model": str(result.model_dir),
            "tracking_trouble": self.trouble,
        }


def run(path: Path, overrides: Sequence[str], data: str | None, *, quiet: bool) -> Job:
    """Train the config of a file, export the model and record the job in MLflow.

    Args:
        path: a complete config.
        overrides: ``key=value``.
        data: in place of ``data.source``.
        quiet: print nothing on the way.

    Raises:
        InputError: bad input; nothing has been created.
        DivergedError: a loss was not finite.
        InfrastructureError: the disk refused.
    """
    home = Home.from_environment()
    config = load_config(path, [*overrides, *([f"data.source={data}"] if data is not None else [])])
    if overrides or data is not None:
        config = config.model_copy(update={"provenance": None})  # it is no longer the config whose result was recorded

    from sweeper.data.prepare import prepare
    from sweeper.preflight.baseline import baseline
    from sweeper.production.train import train

    prepared = prepare(config.data, config.task, source=str(path))
    folder = _fresh(home.runs / "train", config.name)
    console = Console(highlight=False, quiet=quiet)
    metric = str(config.search.metric)

    def tell(report: Report) -> None:
        shown = [f"{key} {number(report.metrics[key])}" for key in dict.fromkeys(("train_loss", metric)) if key in report.metrics]
        console.print(f"epoch {report.epoch:3d}  {'  '.join(shown)}  lr {report.metrics['lr']:.2g}")

    try:
        with blamed(config, str(path)):
            result = train(config, out=folder, data=prepared, on_report=tell)
    except BaseException:
        shutil.rmtree(folder)  # there is no model, so there is nothing to keep
        for parent in (home.runs / "train", home.runs):
            with suppress(OSError):  # not empty
                parent.rmdir()
        raise
    size = insight.write(folder, prepared)
    files = insight.draw(folder, result.history, result.best_epoch)
    reference = Reference.of(config.task, prepared.summary, baseline(prepared, seed=config.data.seed).val)
    found = diagnose(result.history, tree_of(config), Outcome.COMPLETE, reference)
    tags = {**run_tags(), **size, **({} if found is None else {"diagnosis": found.tag.value, "diagnosis.why": found.sentence})}
    trouble = _record(home, result, tags, folder, [*_model_files(folder), *files])
    return Job(result, folder, found, size, trouble, cause_of(config, prepared.hash))


def show(job: Job) -> None:
    """Print the end of a job for people."""
    result, home, console = job.result, Home.from_environment(), Console(highlight=False)
    console.print(result.history[-1].ended or "", style="dim", markup=False)
    validation = ", ".join(f"{key} {number(value)}" for key, value in result.metrics.items() if key.startswith("val_"))
    console.print(f"best epoch {result.best_epoch}: {validation}")
    if result.reproduced is not None and result.config.provenance is not None:
        recorded = result.config.provenance
        was, now = float(recorded["value"]), result.again[recorded["metric"]]
        verdict = "reproduced bit for bit"
        if not result.reproduced:
            # A GPU's last bits depend on the number of lanes, too.
            apart = abs(now - was) / max(abs(was), sys.float_info.min)
            verdict = f"now {now!r}, {apart:.1g} apart ({job.cause})"
        at = f" at epoch {recorded['best_epoch']}" if result.again != result.metrics else ""
        console.print(f"{recorded['metric']} of {recorded['sweep']}/{recorded['trial']} was {was!r}{at}: {verdict}")
    if job.diagnosis is not None:
        console.print(f"diagnosis: {job.diagnosis.tag}: {job.diagnosis.sentence}", markup=False)
    console.print(f"size: {Size(job.size['parameters'], job.size['flops_per_row'])}")
    console.print(f"pictures: {home.shown(job.folder / insight.FOLDER)}")
    console.print(f"model: {home.shown(job.folder / 'model')}")
    console.print(f'use it: sweeper.load_model("{home.shown(job.folder / "model")}").predict(rows)', markup=False)
    if job.trouble:
        console.print(f"MLflow does not have this job: {job.trouble}", markup=False)


def cause_of(config: Config, data_hash: str) -> str:
    """What may keep a recorded value from coming out again when this config is trained on data of this hash; the likeliest first."""
    if (config.provenance or {}).get("data_hash", data_hash) != data_hash:
        return "the data is not what the sweep had"
    edited = "edited code, " if config.model.family == "custom" else ""
    return f"{edited}a GPU, another machine, other versions or another precision"


def _model_files(folder: Path) -> list[Path]:
    return [folder / "model" / "config.yaml", folder / "model" / "checkpoint.json"]


def _record(home: Home, result: TrainResult, tags: Mapping[str, Any], folder: Path, files: Sequence[Path]) -> str | None:
    from sweeper.tracking.runs import log_training

    config = result.config
    return log_training(
        home.tracking_uri,
        home.artifacts,
        experiment=config.name,
        name=f"train/{folder.name}",
        params=flat(tree_of(config)),
        tags=tags,
        reports=result.history,
        files=files,
    )


def _fresh(parent: Path, name: str) -> Path:
    """The first ``<name>-<n>`` that is not there; made, so that no other job takes it.

    Raises:
        InfrastructureError: the disk refused.
    """
    taken = 1
    while True:
        folder = parent / f"{name}-{taken}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            taken += 1
        except OSError as error:
            raise InfrastructureError(f"could not make {folder}: {error.strerror}") from error
        else:
            return folder
