"""``sweeper fsck``: proof that nothing was lost and nothing was done twice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeper.app.existing import existing, known_sweeps
from sweeper.app.finish import final_config
from sweeper.app.home import Home
from sweeper.config.files import load_config, tree_of
from sweeper.config.schema import Config
from sweeper.config.space import Space
from sweeper.errors import SweeperError
from sweeper.ledger import invariants
from sweeper.ledger.invariants import Violation
from sweeper.ledger.records import SweepRecord, SweepState, TrialRecord
from sweeper.ledger.store import Ledger
from sweeper.search.brackets import Brackets, Unmeasured
from sweeper.trial import Outcome

SEARCHER_STATES = {
    None: "RUNNING",
    Outcome.COMPLETE: "COMPLETE",
    Outcome.PRUNED: "PRUNED",
    Outcome.DIVERGED: "PRUNED",
    Outcome.FAILED: "FAIL",
    Outcome.CANCELLED: "FAIL",
}

STACKED_TOLERANCE = 1e-4
"""Relative: a model that was trained and evaluated in a lane is exported as an ordinary one, whose kernels add up in another order."""


@dataclass(frozen=True)
class Report:
    """What was checked, and what does not hold."""

    sweeps: tuple[str, ...]
    violations: tuple[Violation, ...]

    @property
    def exit_code(self) -> int:
        """0 only if everything holds."""
        return 4 if self.violations else 0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"sweeps": list(self.sweeps), "violations": [asdict(violation) for violation in self.violations]}


def check(name: str | None) -> Report:
    """Check one sweep, or all.

    Raises:
        InputError: there is no such sweep.
    """
    home = Home.from_environment()
    records = [existing(home, name)[1]] if name else known_sweeps(home)
    found: list[Violation] = []
    if records:
        ledger = Ledger.open(home.ledger_url)
        found += [Violation("I0", "ledger", sentence) for sentence in ledger.damage()]
        for record in records:
            found += _check(home, ledger, record)
    return Report(tuple(record.name for record in records), tuple(found))


def show(report: Report) -> None:
    """Print the result for people."""
    console = Console(highlight=False)
    for violation in report.violations:
        console.print(str(violation), markup=False, soft_wrap=True)
    names = ", ".join(report.sweeps) or "no sweeps"
    console.print(f"{names}: " + (f"{len(report.violations)} violations" if report.violations else "all invariants hold"), markup=False)


def _check(home: Home, ledger: Ledger, sweep: SweepRecord) -> Iterator[Violation]:
    from sweeper.tracking.check import mirror_violations

    yield from invariants.check(ledger, sweep)
    yield from (Violation("I2", sweep.name, line) for line in mirror_violations(ledger, home.tracking_uri, home.artifacts, sweep.name))
    yield from _searcher(ledger, sweep)
    best = ledger.best(sweep.name)
    if sweep.state is SweepState.COMPLETE and best is not None:
        yield from _winner(home, sweep, best)


def _searcher(ledger: Ledger, sweep: SweepRecord) -> Iterator[Violation]:
    """I3: the rebuilt Optuna study has the ledger's trials, states and values; a range test that a trial was drawn from is there, too."""
    from sweeper.search.tpe import rebuild

    space = Space.parse(sweep.space, f"the ledger's space of {sweep.name}")
    study = rebuild(space, ledger.past(sweep.name))
    records = ledger.trials(sweep.name)
    brackets = Brackets(space, {test.digest: test.finding for test in ledger.range_tests(sweep.name)})
    for record in records:
        try:
            brackets.of(record.trial)
        except Unmeasured as missing:
            yield Violation(
                "I3", f"{sweep.name}/{record.number}", f"was drawn from range test {missing.test.digest}, which is not on record"
            )
    if len(study.trials) != len(records):
        yield Violation("I3", sweep.name, f"{len(study.trials)} trials in the searcher, {len(records)} in the ledger")
        return
    for theirs, record in zip(study.trials, records, strict=True):
        subject = f"{sweep.name}/{record.number}"
        if theirs.state.name != SEARCHER_STATES[record.outcome]:
            yield Violation("I3", subject, f"{theirs.state.name} in the searcher, {record.outcome or 'open'} in the ledger")
        if record.outcome is Outcome.COMPLETE and theirs.value != record.best_value:
            yield Violation("I3", subject, f"{theirs.value!r} in the searcher, {record.best_value!r} in the ledger")


def _winner(home: Home, sweep: SweepRecord, best: TrialRecord) -> Iterator[Violation]:
    """I7: ``best.yaml`` is the best trial's, and the exported model gives its value again: to the last bit, where it was trained as one."""
    folder = home.sweep_dir(sweep.name)
    try:
        written = load_config(folder / "best.yaml")
        if tree_of(written) != tree_of(final_config(sweep, best)):
            yield Violation("I7", sweep.name, f"best.yaml is not the config of trial {best.number}, the best in the ledger")
            return
        value = _evaluated(folder, written)
    except SweeperError as error:
        yield Violation("I7", sweep.name, str(error))
        return
    tolerance = STACKED_TOLERANCE if (best.how or "").startswith("stacked") else 0.0
    if best.best_value is None or not math.isclose(value, best.best_value, rel_tol=tolerance):
        yield Violation("I7", sweep.name, f"the exported model gives {value!r}, the ledger has {best.best_value!r}")


def _evaluated(folder: Path, config: Config) -> float:
    """The searched metric of the exported model on the validation part."""
    from sweeper.data.prepare import prepare
    from sweeper.production.model import evaluate_on

    data = prepare(config.data, config.task, source=str(folder / "best.yaml"))
    return evaluate_on(folder / "model", data.val, data)[config.search.metric.removeprefix("val_")]
