"""A production job: one config trained to its end by the same core that searched."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sweeper.config.files import tree_of
from sweeper.config.schema import Config
from sweeper.core import checkpoint, loop
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InfrastructureError, SweeperError
from sweeper.production import model
from sweeper.trial import Continue, Report, Trial


class DivergedError(SweeperError):
    """Training gave a number that is not finite; there is no model."""

    exit_code = 3


@dataclass(frozen=True)
class TrainResult:
    """What a production job gave.

    Attributes:
        config: what was trained.
        metrics: of the best epoch by ``search.metric``.
        best_epoch: 1-based.
        history: one report per epoch.
        test: loss and scores on the test part, where they were asked for.
        model_dir: the exported model, where an output folder was given.
        reproduced: whether the metric recorded in the config's provenance came out again bit for bit, in its epoch; None without
            provenance.
    """

    config: Config
    metrics: dict[str, float]
    best_epoch: int
    history: list[Report]
    test: dict[str, float] | None
    model_dir: Path | None
    reproduced: bool | None

    @property
    def again(self) -> dict[str, float]:
        """The metrics of the epoch that the config's provenance records, of the best one where it records none.

        The two differ where a trial was pruned: a job goes on to its end, and is best later.
        """
        return _again(self.config, self.history, self.best_epoch)


def train(
    config: Config,
    *,
    out: Path | None = None,
    data: Dataset | None = None,
    evaluate_test: bool = False,
    on_report: Callable[[Report], None] | None = None,
) -> TrainResult:
    """Trains a config to its end and exports the best epoch.

    Args:
        config: complete, such as a sweep's ``best.yaml``.
        out: gets ``model/``; None: nothing is kept.
        data: prepared data; None: prepared from ``config.data``.
        evaluate_test: also evaluate the best epoch on the test part.
        on_report: called after every epoch.

    Raises:
        InputError: the data or the config is not usable.
        DivergedError: a loss or a validation score was not finite.
        InfrastructureError: the disk refused.
    """
    prepared = data if data is not None else prepare(config.data, config.task)
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".training-", dir=out)
    except OSError as error:
        raise InfrastructureError(f"could not make {out or 'a temporary folder'}: {error}") from error
    with scratch as work:
        history = _run(config, prepared, Path(work), on_report)
        committed = Path(work) / "0"
        best_epoch = checkpoint.load(committed).epoch
        model_dir = (out or Path(work)) / "model"
        model.export(committed, prepared, config, model_dir)
        test = model.evaluate_test(model_dir, prepared, device="auto") if evaluate_test else None
    metrics = dict(history[best_epoch - 1].metrics)
    reproduced = _reproduced(config, _again(config, history, best_epoch))
    return TrainResult(config, metrics, best_epoch, history, test, model_dir if out is not None else None, reproduced)


def _run(config: Config, data: Dataset, checkpoints: Path, on_report: Callable[[Report], None] | None) -> list[Report]:
    """Every report until the core's own end; the best epoch is in ``checkpoints/0`` then."""
    trial = Trial(number=0, seed=config.training.seed, values={}, config=tree_of(config), shape="")
    device = "cpu" if config.resources.gpus_per_worker == 0 else "auto"
    training = loop.train([trial], data, device=device, checkpoints=checkpoints)
    history: list[Report] = []
    report = next(training)[0]
    while True:
        history.append(report)
        if on_report is not None:
            on_report(report)
        if not report.finite():
            training.close()
            raise DivergedError(_diverged(config, report))
        if report.ended is not None:
            training.close()
            return history
        report = training.send([Continue("a production job goes to its end")])[0]


def _diverged(config: Config, report: Report) -> str:
    broken = [
        f"{name} is {value}"
        for name, value in report.metrics.items()
        if (name == "train_loss" or name.startswith("val_")) and not math.isfinite(value)
    ]
    return (
        f"{config.name}: training diverged in epoch {report.epoch}: {', '.join(broken)}; "
        f"lower optimizer.lr (now {config.optimizer.lr:g}) or training.clip_norm (now {config.training.clip_norm})"
    )


def _again(config: Config, history: list[Report], best_epoch: int) -> dict[str, float]:
    epoch = (config.provenance or {}).get("best_epoch")
    return dict(history[(epoch if isinstance(epoch, int) and 1 <= epoch <= len(history) else best_epoch) - 1].metrics)


def _reproduced(config: Config, metrics: dict[str, float]) -> bool | None:
    """Whether the recorded value came out again, bit for bit."""
    recorded = config.provenance or {}
    if recorded.get("metric") is None or recorded.get("value") is None:  # a trial without a report has no value
        return None
    return bool(metrics.get(str(recorded["metric"])) == recorded["value"])
