from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from sweeper.core.sizes import Size
from sweeper.errors import InfrastructureError
from sweeper.tracking.tables import Winner, next_steps, sweeps_table, trial_panel, trials_table, winner_view
from sweeper.tracking.terminal import Leader, LiveView, Pace, Snapshot, plain, render, time_left
from sweeper.trial import Metric, Outcome
from tests.tracking.hand import Hand, reports

VALUES = {"model.width": 128, "model.norm": "batch", "model.dropout": 0.23456789, "optimizer": "adamw", "optimizer.adamw.lr": 0.00212345}
HALF_WAY = Snapshot(
    sweep="mlp", metric=Metric.VAL_LOSS, workers=2, target=64, running=4, complete=12, pruned=24, diverged=1, failed=0, cancelled=0,
    best=Leader(17, 0.0612345, 23, VALUES), elapsed_s=21.4, left_s=15.2,
)  # fmt: skip


def shown(renderable: RenderableType, width: int = 100) -> list[str]:
    """What stands on a terminal of that width, without colours."""
    console = Console(width=width, file=io.StringIO(), no_color=True, highlight=False)
    console.print(renderable)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_view_says_what_is_done_what_is_best_and_how_long() -> None:
    """Half way through: five lines and a half, nothing moves but the numbers."""
    lines = shown(render(HALF_WAY))
    assert lines[0] == "mlp   val_loss, lower is better   2 workers"
    assert lines[1].endswith("37 of 64  0:21 elapsed, about 0:15 left")
    assert lines[2] == "running 4   complete 12   pruned 24   diverged 1   failed 0"
    assert lines[3] == "best  0.06123 val_loss at epoch 23 of mlp/17"
    assert lines[4].split("   ") == ["", "", "model.width 128", "model.norm batch", "model.dropout 0.2346", "optimizer adamw"]
    assert lines[5].strip() == "optimizer.adamw.lr 0.002123"


@pytest.mark.parametrize("width", [80, 120])
def test_the_view_fits_the_terminal(width: int) -> None:
    """No line is longer than the terminal, and no name is torn from its value."""
    lines = shown(render(HALF_WAY), width)
    assert max(map(len, lines)) <= width
    assert "optimizer.adamw.lr 0.002123" in "\n".join(lines)


def test_before_the_first_result_the_view_says_so() -> None:
    """No best, no guess at the time left."""
    lines = shown(render(replace(HALF_WAY, best=None, left_s=None, complete=0, pruned=0, diverged=0)))
    assert lines[1].endswith("0 of 64  0:21 elapsed")
    assert lines[3] == "best  none yet: no trial is complete"


def test_a_plain_line_holds_the_same() -> None:
    """For logs: one line without colours or movement."""
    assert plain(HALF_WAY) == (
        "mlp: 37 of 64 done, 4 running, 1 diverged, best val_loss 0.06123 (mlp/17, epoch 23), 0:21 elapsed, about 0:15 left"
    )


def test_range_tests_are_shown_while_they_are_made() -> None:
    """What is tested, and how many tests were made before; before the first trial, too, when nobody is waiting for workers."""
    first = replace(HALF_WAY, best=None, complete=0, pruned=0, diverged=0, running=0, testing=("model.width 32",))
    lines = shown(render(first))
    assert lines[3:] == ["testing the learning rate of model.width 32", "best  none yet: no trial is complete"]
    assert "0 running, testing the learning rate of model.width 32, 0:21 elapsed" in plain(first)
    later = replace(HALF_WAY, testing=("model.width 32", "model.width 64", "model.width 8"), tested=1)
    assert "testing the learning rate of model.width 32 and 2 more (1 range test done)" in shown(render(later))
    assert "(2 range tests done), best" in plain(replace(later, tested=2))


def test_not_on_a_terminal_every_range_test_has_a_line(tmp_path: Path) -> None:
    """As it begins, not five seconds later; of a sweep that is over none is told, whatever was left in its facts."""
    hand = Hand(tmp_path, trials=1)
    out = io.StringIO()
    with LiveView(hand.ledger, hand.name, console=Console(file=out, force_terminal=False, width=80)):
        for shape in ("model.width 16", "model.width 32"):
            hand.writer.set_facts(testing={"shapes": [shape], "done": 0})
            assert until(lambda told=shape: f"testing the learning rate of {told}" in out.getvalue(), 4.0)
        hand.trial(0, Outcome.COMPLETE)
    assert "testing" not in out.getvalue().splitlines()[-1]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_full_disk_under_stdout_stops_the_view_alone(tmp_path: Path) -> None:
    """The sweep goes on, and no traceback of a thread is told."""

    class Full(io.StringIO):
        tried = 0

        def write(self, _text: str) -> int:
            self.tried += 1
            raise OSError(28, "No space left on device")

    hand, out = Hand(tmp_path), Full()
    with LiveView(hand.ledger, hand.name, console=Console(file=out, force_terminal=False, width=80)):
        assert until(lambda: out.tried > 0, 4.0)
        hand.trial(0, Outcome.COMPLETE)
    assert hand.ledger.known(hand.name) is not None


def test_the_time_left_follows_the_pace_of_this_run() -> None:
    """Neither start-up nor trials that a resumed sweep had already count as pace."""
    assert time_left(None, 2, 64, 10.0) is None
    assert time_left(Pace(50, 7.0), 52, 64, 9.0) is None
    assert time_left(Pace(50, 7.0), 60, 64, 27.0) == 8.0
    assert time_left(None, 64, 64, 20.0) == 0.0


def test_not_on_a_terminal_a_line_comes_at_each_new_best(tmp_path: Path) -> None:
    """The last line tells the end, also of a sweep that is faster than the view."""
    hand = Hand(tmp_path)
    out = io.StringIO()
    with LiveView(hand.ledger, hand.name, console=Console(file=out, force_terminal=False, width=80)):
        hand.trial(0, Outcome.COMPLETE)
        hand.trial(1, Outcome.PRUNED)
    last = out.getvalue().splitlines()[-1]
    assert last.startswith("mlp: 2 of 5 done, 0 running, best val_loss 0.04762 (mlp/0, epoch 3), 0:0")
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_the_view_stays_in_place(tmp_path: Path) -> None:
    """The last picture remains on the screen; NO_COLOR is honoured by Rich."""
    hand = Hand(tmp_path)
    hand.trial(0, Outcome.COMPLETE)
    out = io.StringIO()
    with LiveView(hand.ledger, hand.name, workers=1, console=Console(file=out, force_terminal=True, width=80, color_system=None)):
        pass
    assert "1 worker" in out.getvalue()
    assert "of mlp/0" in out.getvalue()


def test_a_quiet_view_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As under --json."""
    hand = Hand(tmp_path)
    with LiveView(hand.ledger, hand.name, quiet=True):
        hand.trial(0, Outcome.COMPLETE)
    assert capsys.readouterr().out == ""


def test_a_ledger_that_cannot_be_read_for_a_moment_does_not_end_the_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep goes on, and so does the view."""
    hand = Hand(tmp_path)
    hand.trial(0, Outcome.COMPLETE)
    real, calls = hand.ledger.counts, []

    def counts(name: str) -> object:
        calls.append(name)
        if len(calls) == 1:
            raise InfrastructureError("locked")
        return real(name)

    monkeypatch.setattr(hand.ledger, "counts", counts)
    out = io.StringIO()
    with LiveView(hand.ledger, hand.name, console=Console(file=out, force_terminal=False, width=80)):
        waited = until(lambda: len(calls) >= 2)
    assert waited
    assert "1 of 5 done" in out.getvalue()


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


WINNER = Winner(
    name="mlp/17", metric=Metric.VAL_ACCURACY, epoch=23, values=VALUES,
    metrics={"train_loss": 0.01, "val_loss": 0.0612, "val_accuracy": 0.981, "lr": 1e-3},
    baseline_name="logistic regression",
    baseline={"val_loss": 0.12, "val_accuracy": 0.97, "test_accuracy": 0.965},
    test={"accuracy": 0.96, "loss": 0.1}, touches=1, size=Size(26122, 51712), config="runs/mlp/best.yaml",
)  # fmt: skip


def test_the_winner_stands_beside_what_it_beat() -> None:
    """The searched metric first, differences signed so that more is better, the test labelled."""
    text = "\n".join(shown(winner_view(WINNER), 80))
    rows = [line.split() for line in text.splitlines()]
    assert ["val_accuracy", "0.981", "0.97", "0.011"] in rows
    assert ["val_loss", "0.0612", "0.12", "0.0588"] in rows
    assert rows.index(["val_accuracy", "0.981", "0.97", "0.011"]) < rows.index(["val_loss", "0.0612", "0.12", "0.0588"])
    assert ["test", "accuracy", "(touched", "once)", "0.96", "0.965", "-0.005"] in rows
    assert ["test", "loss", "(touched", "once)", "0.1", "-"] in rows
    assert "train_loss" not in text
    assert text.startswith("Winner  mlp/17  epoch 23  26,122 parameters, 51.7 kFLOP a row")


def test_the_next_steps_can_be_copied() -> None:
    """Each stands whole on a line of its own, however narrow the terminal."""
    stream = io.StringIO()
    Console(file=stream, width=20).print(next_steps("a/path/that/is/long/best.yaml"), soft_wrap=True)
    lines = [line.strip() for line in stream.getvalue().splitlines()]
    for step in (
        "make ui",
        "make train CONFIG=a/path/that/is/long/best.yaml",
        'sweeper.train(sweeper.load_config("a/path/that/is/long/best.yaml"))',
    ):
        assert any(line.startswith(step) for line in lines)


def test_lists_and_panels_show_what_the_ledger_has(tmp_path: Path) -> None:
    """One line per sweep and per trial, the best trial first; a panel with every epoch."""
    hand = Hand(tmp_path)
    hand.trial(0, Outcome.DIVERGED, 1, val_loss=math.nan)
    hand.trial(1, Outcome.COMPLETE)
    open_one, open_two = reports(2, 2, hand.now)
    hand.record(hand.number(2), [replace(open_one, how="plain: this model cannot be stacked (nn.LSTM)"), open_two])
    ledger, name = hand.ledger, hand.name
    overview = shown(sweeps_table([(ledger.sweep(name), ledger.counts(name), ledger.best(name))]))
    assert overview[2].split()[:7] == ["mlp", "open", "2/5", "0", "val_loss", "0.09524", "1"]
    rows = [line.split() for line in shown(trials_table(ledger.trials(name), Metric.VAL_LOSS), 200)[2:]]
    assert [row[:4] for row in rows if row[0].isdigit()] == [
        ["1", "complete", "0.09524", "3"],
        ["2", "open", "-", "-"],
        ["0", "diverged", "-", "-"],
    ]
    panel = "\n".join(shown(trial_panel(name, ledger.trial(name, 1), ledger.reports(name, 1), Metric.VAL_LOSS), 120))
    assert "mlp/1  complete  complete by hand" in panel
    assert "best val_loss   0.09524 at epoch 3" in panel
    assert "norm" in panel
    assert "engine" not in panel
    running = "\n".join(shown(trial_panel(name, ledger.trial(name, 2), ledger.reports(name, 2), Metric.VAL_LOSS), 120))
    assert "engine    plain: this model cannot be stacked (nn.LSTM)" in running
    assert shown(sweeps_table([])) == ["No sweeps yet. Start one: sweeper sweep mlp"]
    assert shown(trials_table([], Metric.VAL_LOSS)) == ["No trials yet."]
