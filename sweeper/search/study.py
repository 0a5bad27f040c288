"""The study decides and does nothing: ask, report, close. No I/O, no clock; times arrive in reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sweeper.config.space import Space
from sweeper.errors import InfrastructureError, InputError, StaleWriterError
from sweeper.search.brackets import Brackets, Unmeasured
from sweeper.search.draws import Draws
from sweeper.search.past import Past, Record, finite_points
from sweeper.search.pruner import pruner_of
from sweeper.search.sampler import sampler_of
from sweeper.trial import Metric, Outcome, RangeFinding, Report, Stop, Trial, Verdict, first_stops

__all__ = ["Best", "Past", "Study"]


@dataclass(frozen=True)
class Best:
    """The best epoch of the best complete trial: the searched metric's value there, the 1-based epoch, and all metrics of it."""

    trial: Trial
    value: float
    epoch: int
    metrics: Mapping[str, float]


@dataclass
class _Open:
    """A trial that has not ended, with its reports in order of epoch."""

    trial: Trial
    reports: list[Report] = field(default_factory=list)
    best: Report | None = None  # the first report with the best finite value


class Study:
    """Numbers the trials of a sweep, judges their reports and knows the best.

    Args:
        space: what is searched, and how (``search``).
        trials: how many trials the sweep has in all.
        tested: the findings of its range tests so far, by the test's digest.

    Attributes:
        brackets: what learning rates that are ``auto`` are drawn from; it is told the findings of range tests.
    """

    def __init__(self, space: Space, trials: int, tested: Mapping[str, RangeFinding] = MappingProxyType({})) -> None:
        self._metric: Metric = space.base.search.metric
        self._target = trials
        self.brackets = Brackets(space, tested)
        self._sampler = sampler_of(space, self.brackets)
        self._draws = Draws(space, self._sampler, self.brackets)
        self._pruner = pruner_of(space)
        self._open: dict[int, _Open] = {}
        self._best: Best | None = None
        self.ask_at: frozenset[int] = self._pruner.ask_at

    @classmethod
    def restore(cls, space: Space, trials: int, past: Sequence[Record], tested: Mapping[str, RangeFinding] = MappingProxyType({})) -> Study:
        """A study that decides from here on as one would that lived through ``past``.

        Args:
            space: as it was.
            trials: how many trials the sweep has in all; may be more than before.
            past: closed trials in the order in which they were closed, then the open ones.
            tested: the findings of its range tests, by the test's digest.

        Raises:
            InfrastructureError: the numbers of the trials are not 0, 1, 2, ... without a gap.
        """
        study = cls(space, trials, tested)
        numbered = sorted((record.trial for record in past), key=lambda trial: trial.number)
        if [trial.number for trial in numbered] != list(range(len(numbered))):
            raise InfrastructureError(f"{space.name}: trials are missing or double among the {len(numbered)} on record; run sweeper fsck")
        for trial in numbered:
            try:
                study._enter(trial)
            except Unmeasured as missing:
                told = f"{space.name}: {missing}, with which trial {trial.number} was drawn, and is not on record; run sweeper fsck"
                raise InfrastructureError(told) from missing
        for record in past:
            for report in record.reports:
                study._take(report)
            if record.outcome is not None:
                study.close(record.trial.number, record.outcome)
        return study

    @property
    def unnumbered(self) -> int:
        """How many trials of the sweep have no number yet."""
        return self._target - len(self._draws)

    def ask(self, lanes: int = 1, beside: Trial | None = None) -> list[Trial]:
        """The next batch of newly numbered trials; which and how many, ``Blocks.ahead`` says.

        Args:
            lanes: of the worker they are for.
            beside: only if some of the batch will have this trial's shape; else none, and nothing changes.

        Returns:
            Trials in order of number, of one or of several shapes; none when all trials of the sweep are numbered.

        Raises:
            InputError: ``forbid`` leaves nothing to try.
            Unmeasured: nothing can be numbered before this range test was made; nothing has changed.
        """
        asked: list[Trial] = []
        for place in self._draws.ahead(lanes, self.unnumbered, beside):
            try:
                trial = self._draws.draw(place)
            except (InputError, Unmeasured):
                if asked:
                    break  # the next ask meets it again; these can be trained
                raise
            self._open[trial.number] = _Open(trial)
            asked.append(trial)
        return asked

    def most(self, trial: Trial) -> int:
        """How many trials, of the whole sweep, its order gives this one's shape, as far as that is known."""
        return min(self._target, self._draws.most(trial))

    def report(self, reports: Sequence[Report]) -> list[Verdict]:
        """What becomes of the trials after these reports, of one trial in order of epoch; ``close`` those whose verdict is to stop.

        All values are known before any is judged, so that of trials that come to a rung together none has the advantage of being first.
        A trial's reports after its first Stop are dropped.

        Raises:
            StaleWriterError: one of the trials is not open; nothing is taken of any report.
        """
        for report in reports:
            self._opened(report.trial)
        best = [self._take(report) for report in reports]
        verdicts = [self._judge(report, value) for report, value in zip(reports, best, strict=True)]
        for number, (last, _) in first_stops(reports, verdicts).items():
            self._cut(number, last.epoch)
        return verdicts

    def close(self, number: int, outcome: Outcome) -> None:
        """The trial ended: tell the sampler, and remember it if it is the best.

        Raises:
            StaleWriterError: the trial is not open.
            InfrastructureError: it is called complete and never had a finite value.
        """
        this = self._opened(number)
        if outcome is Outcome.COMPLETE and this.best is None:
            raise InfrastructureError(f"trial {number} is called complete without any finite {self._metric}")
        del self._open[number]
        self._sampler.close(number, outcome, finite_points(this.reports, self._metric))
        if outcome is Outcome.COMPLETE and this.best is not None:
            found = Best(this.trial, this.best.metrics[self._metric], this.best.epoch, this.best.metrics)
            self.brackets.close(this.trial, found.value)
            if self._best is None or self._beats(found, self._best):
                self._best = found

    def reopen(self, number: int) -> None:
        """The attempt was lost and the trial will be trained again: its reports never were.

        Raises:
            StaleWriterError: the trial is not open.
        """
        self._open[number] = _Open(self._opened(number).trial)
        self._pruner.forget(number)

    def best(self) -> Best | None:
        """The best complete trial by its best epoch; of equals, the one with the lower number."""
        return self._best

    def best_of(self, number: int) -> tuple[float, int] | None:
        """An open trial's best value so far and its epoch; None before the first finite one.

        Raises:
            StaleWriterError: the trial is not open.
        """
        best = self._opened(number).best
        return None if best is None else (best.metrics[self._metric], best.epoch)

    def _take(self, report: Report) -> float | None:
        """Note a report; its trial's best value up to it, or None when something in it is not finite."""
        this = self._opened(report.trial)
        this.reports.append(report)
        if not (report.finite() and math.isfinite(report.metrics[self._metric])):
            return None
        if this.best is None or self._metric.better(report.metrics[self._metric], this.best.metrics[self._metric]):
            this.best = report
        value = this.best.metrics[self._metric]
        self._pruner.note(report.trial, report.epoch, value)
        return value

    def _judge(self, report: Report, best: float | None) -> Verdict:
        if best is None:
            return Stop(Outcome.DIVERGED, f"diverged at epoch {report.epoch}: {_non_finite(report, self._metric)}")
        if report.ended is not None:
            return Stop(Outcome.COMPLETE, f"complete at epoch {report.epoch}: {report.ended}")
        return self._pruner.judge(report.trial, report.epoch, best)

    def _cut(self, number: int, epoch: int) -> None:
        """The trial is over after this epoch: what it reported later never was."""
        reports = self._opened(number).reports
        kept = [report for report in reports if report.epoch <= epoch]
        if len(kept) < len(reports):
            self.reopen(number)
            for report in kept:
                self._take(report)

    def _opened(self, number: int) -> _Open:
        if number not in self._open:
            raise StaleWriterError(f"trial {number} is not open")
        return self._open[number]

    def _enter(self, trial: Trial) -> None:
        self._draws.enter(trial)
        self._open[trial.number] = _Open(trial)

    def _beats(self, found: Best, best: Best) -> bool:
        if found.value == best.value:
            return found.trial.number < best.trial.number  # and so the order of closing does not matter
        return self._metric.better(found.value, best.value)


def _non_finite(report: Report, metric: Metric) -> str:
    """Which judged metric is not finite: the searched one if it is, else the first."""
    judged = [metric.value, "train_loss", *(name for name in report.metrics if name.startswith("val_"))]
    name = next(name for name in judged if not math.isfinite(report.metrics.get(name, 0.0)))
    return f"{name} is {report.metrics[name]}"
