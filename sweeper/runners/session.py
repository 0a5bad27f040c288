"""A worker's session: it takes leases from the desk and trains them until nothing is left.

The same session runs in this process (``local``) and inside a Ray worker (``ray_tune``): what it does depends on the
desk's answers alone, so both runners make the same decisions.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from sweeper.errors import InfrastructureError, StaleWriterError
from sweeper.ports import Desk, Train
from sweeper.runners.failure import describe
from sweeper.trial import Command, Continue, Lease, Report, Stop, Verdict

UNDECIDED = Continue("no verdict is due at this epoch")
"""What a lane is told between two questions to the desk."""


@dataclass(slots=True)
class _Stack:
    """A lease in training.

    Attributes:
        steps: the generator that trains it.
        tokens: fencing number by trial, of the lanes that still train.
        ask_at: epochs that need a verdict.
        commands: what the lanes are told next; None before the first step.
        buffer: reports that the desk has not seen yet.
        oldest: when the first of them was buffered (monotonic seconds).
    """

    steps: Generator[list[Report], list[Command], None]
    tokens: dict[int, int]
    ask_at: frozenset[int]
    commands: list[Command] | None = None
    buffer: list[Report] = field(default_factory=list)
    oldest: float = 0.0


class Session:
    """One worker's work on a sweep, done in slices of time.

    Args:
        worker: this worker's name at the desk.
        desk: where leases come from and reports go to.
        train: trains the trials of a lease as one stack.
        lanes: at most how many trials a lease may hold.
        patience_s: about how long a report that needs no verdict may wait for the next call to the desk.

    Attributes:
        stale: the desk's refusal, when another writer has taken over; such a session is over.
    """

    def __init__(self, worker: str, desk: Desk, train: Train, lanes: int = 1, patience_s: float = 2.0) -> None:
        self.stale: StaleWriterError | None = None
        self._worker = worker
        self._desk = desk
        self._train = train
        self._lanes = lanes
        self._patience_s = patience_s
        self._stack: _Stack | None = None

    def run(self, seconds: float) -> bool:
        """Train for about ``seconds``, up to the next report, and keep what is in hand for the next call.

        Returns:
            False when the desk has nothing more for this worker and nothing is in hand; True when there is more to do.

        Raises:
            InfrastructureError: a store failed; the trials in hand stay leased until the worker is released.
        """
        if self.stale is not None:
            return False
        until = time.monotonic() + seconds
        try:
            while self._advance():
                if time.monotonic() >= until:
                    return True
        except StaleWriterError as error:
            self.stale = error
            self.close()
        return False

    def close(self) -> None:
        """Stop training what is in hand, so that its ``finally`` blocks run now; the desk is told nothing."""
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.steps.close()

    def _advance(self) -> bool:
        """Bring the stack in hand, or a new one, up to its next reports; False when there is none."""
        stack = self._stack
        if stack is None:
            lease = self._desk.lease(self._worker, self._lanes)
            if lease is None:
                return False
            stack = self._stack = _stack(lease, self._train)
        started = time.monotonic()
        try:
            reports = next(stack.steps) if stack.commands is None else stack.steps.send(stack.commands)
        except StopIteration:
            self._give_up(stack, "training ended without a last report")
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model, its data or its optimizer raises is that trial's failure
            self._give_up(stack, describe(error))
        else:
            stack.commands = self._answer(stack, reports, took=time.monotonic() - started)
        return True

    def _answer(self, stack: _Stack, reports: Sequence[Report], took: float) -> list[Command]:
        """One command per report: the desk's verdicts if any is due, else go on."""
        now = time.monotonic()
        if not stack.buffer:
            stack.oldest = now
        stack.buffer.extend(reports)
        due = any(report.epoch in stack.ask_at or report.ended is not None or not report.finite() for report in reports)
        # The next reports will take about as long as these did: those that cannot wait that long go now.
        if not due and now + took - stack.oldest < self._patience_s:
            return [UNDECIDED] * len(reports)
        verdicts = self._send(stack)
        return [verdicts[report.trial] for report in reports]

    def _send(self, stack: _Stack) -> dict[int, Verdict]:
        """Send what is buffered in one call; the verdict by trial, where a Stop for any of a trial's reports stands."""
        reports, stack.buffer = stack.buffer, []
        answers = self._desk.report([stack.tokens[report.trial] for report in reports], reports)
        verdicts: dict[int, Verdict] = {}
        for report, verdict in zip(reports, answers, strict=True):
            if not isinstance(verdicts.get(report.trial), Stop):
                verdicts[report.trial] = verdict
        for trial, verdict in verdicts.items():
            if isinstance(verdict, Stop):
                del stack.tokens[trial]
        return verdicts

    def _give_up(self, stack: _Stack, reason: str) -> None:
        """The generator has ended: close each trial that had not been stopped as failed, after the reports it had made."""
        self._stack = None
        if stack.buffer:
            self._send(stack)
        for trial, token in stack.tokens.items():
            self._desk.fail(token, trial, reason)


def _stack(lease: Lease, train: Train) -> _Stack:
    tokens = {trial.number: token for trial, token in zip(lease.trials, lease.tokens, strict=True)}
    return _Stack(_steps(lease, train), tokens, lease.ask_at)


def _steps(lease: Lease, train: Train) -> Generator[list[Report], list[Command], None]:
    """The generator of ``train``, called at the first step, so that whatever it raises is raised by a step."""
    yield from train(lease.trials)
