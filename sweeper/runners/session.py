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
from sweeper.trial import TEST_FAILED, Command, Continue, Lease, RangeFinding, RangeTest, Refill, Report, Stop, Trial, Verdict

UNDECIDED = Continue("no verdict is due at this epoch")
"""What a lane is told between two questions to the desk."""


@dataclass(slots=True)
class _Stack:
    """Trials of one shape in training, side by side.

    Attributes:
        steps: the generator that trains them.
        beside: one of them, or one that was; the lanes are filled with trials of its shape.
        refills: whether free lanes are filled: with a single one, the next trial is a stack of its own.
        tokens: fencing number by trial, of the lanes that still train.
        ask_at: epochs that need a verdict.
        commands: what the lanes are told next; None before the first step.
        untold: verdicts by trial; a lane may be stopped amid a round in which only others report, and hears of it in its own next one.
        buffer: reports that the desk has not seen yet.
        oldest: when the first of them was buffered (monotonic seconds).
    """

    steps: Generator[list[Report], list[Command], None]
    beside: Trial
    refills: bool
    tokens: dict[int, int]
    ask_at: frozenset[int]
    commands: list[Command] | None = None
    untold: dict[int, Verdict] = field(default_factory=dict)
    buffer: list[Report] = field(default_factory=list)
    oldest: float = 0.0


class Session:
    """One worker's work on a sweep, done in slices of time.

    Args:
        worker: this worker's name at the desk.
        desk: where leases come from and reports go to.
        train: trains trials of one shape as one stack, and knows how many are worth it.
        patience_s: about how long a report that needs no verdict may wait for the next call to the desk.

    Attributes:
        stale: the desk's refusal, when another writer has taken over; such a session is over.
    """

    def __init__(self, worker: str, desk: Desk, train: Train, patience_s: float = 2.0) -> None:
        self.stale: StaleWriterError | None = None
        self._worker = worker
        self._desk = desk
        self._train = train
        self._patience_s = patience_s
        self._stack: _Stack | None = None
        self._ahead: list[Lease | RangeTest | None] = []

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
        """Bring the stack in hand up to its next reports, or take up a new one; False when there is none."""
        if self._stack is None:
            lease = self._lease(1)
            if lease is None:
                return False
            self._take_up(lease)
        else:
            self._step(self._stack)
        return True

    def _lease(self, lanes: int, beside: Trial | None = None) -> Lease | None:
        """What the desk gives, or gave with its last verdict, after the range tests that it wants first; a stack in hand waits for them."""
        answer = self._ahead.pop() if self._ahead else self._desk.lease(self._worker, lanes, beside)
        while isinstance(answer, RangeTest):
            self._desk.tested(answer, self._found(answer))
            answer = self._desk.lease(self._worker, lanes, beside)
        return answer

    def _found(self, test: RangeTest) -> RangeFinding:
        """The finding of a test; one that fails is a finding, too: its trials will tell whether they can be trained."""
        try:
            return self._train.range_test(test)
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model, its data or its optimizer raises
            return RangeFinding(TEST_FAILED, "the range test failed: " + describe(error).partition("\n")[0])

    def _take_up(self, lease: Lease) -> None:
        """Make a stack of the leased trial and as many of its shape as are worth training beside it."""
        [trial], [token] = lease.trials, lease.tokens
        try:
            lanes = self._train.lanes(trial, lease.most)
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model, its data or its optimizer raises is that trial's failure
            self._desk.fail(token, trial.number, describe(error))
            return
        more = self._lease(lanes - 1, beside=trial) if lanes > 1 else None
        trials, tokens = [trial], {trial.number: token}
        if more is not None:
            trials += more.trials
            tokens |= _tokens(more)
        self._stack = _Stack(_steps(trials, self._train), trial, lanes > 1, tokens, lease.ask_at)

    def _step(self, stack: _Stack) -> None:
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

    def _answer(self, stack: _Stack, reports: Sequence[Report], took: float) -> list[Command]:
        """One command per report: the desk's verdicts if any is due, else go on; free lanes are filled where there is something."""
        now = time.monotonic()
        if not stack.buffer:
            stack.oldest = now
        stack.buffer.extend(report for report in reports if report.trial in stack.tokens)
        due = any(report.epoch in stack.ask_at or report.ended is not None or not report.finite() for report in reports)
        # The next reports will take about as long as these did: those that cannot wait that long go now.
        late = now + took - stack.oldest >= self._patience_s
        if stack.buffer and (due or late):
            self._send(stack)
        return self._fill(stack, [stack.untold.pop(report.trial, UNDECIDED) for report in reports])

    def _fill(self, stack: _Stack, verdicts: Sequence[Verdict]) -> list[Command]:
        """The verdicts, but for as many of those that stop a lane as there are further trials of the shape."""
        free = sum(isinstance(verdict, Stop) for verdict in verdicts)
        more = self._lease(free, beside=stack.beside) if stack.refills and free else None
        if more is None:
            return list(verdicts)
        stack.tokens |= _tokens(more)
        refills = map(Refill, more.trials)
        return [next(refills, verdict) if isinstance(verdict, Stop) else verdict for verdict in verdicts]

    def _send(self, stack: _Stack) -> None:
        """Send what is buffered in one call, and keep the verdict for each lane; a Stop for any of its reports stands."""
        reports, stack.buffer = stack.buffer, []
        verdicts = self._told(stack, [stack.tokens[report.trial] for report in reports], reports)
        for report, verdict in zip(reports, verdicts, strict=True):
            if not isinstance(stack.untold.get(report.trial), Stop):
                stack.untold[report.trial] = verdict
            if isinstance(verdict, Stop):
                stack.tokens.pop(report.trial, None)

    def _told(self, stack: _Stack, tokens: Sequence[int], reports: Sequence[Report]) -> list[Verdict]:
        """The desk's verdicts; a trial that is trained alone and ends with them is exchanged for the next one, to save a call."""
        if stack.refills:
            return self._desk.report(tokens, reports)
        verdicts, lease = self._desk.exchange(self._worker, tokens, reports)
        if any(isinstance(verdict, Stop) for verdict in verdicts):
            self._ahead.append(lease)
        return verdicts

    def _give_up(self, stack: _Stack, reason: str) -> None:
        """The generator has ended before its time: after the reports that were made, close its trial as failed.

        Of several, nobody knows whose fault it was: they are given back, and the desk hands each of them out alone.
        """
        self._stack = None
        several = len(stack.tokens) > 1
        if stack.buffer:
            self._send(stack)
        if several and stack.tokens:
            self._desk.release(self._worker)
            return
        for trial, token in stack.tokens.items():
            self._desk.fail(token, trial, reason)


def _tokens(lease: Lease) -> dict[int, int]:
    """Fencing number by trial."""
    return {trial.number: token for trial, token in zip(lease.trials, lease.tokens, strict=True)}


def _steps(trials: Sequence[Trial], train: Train) -> Generator[list[Report], list[Command], None]:
    """The generator of ``train``, called at the first step, so that whatever it raises is raised by a step."""
    yield from train(trials)
