"""How fast the core trains one model: against a good hand-written PyTorch loop, and against Lightning's Trainer.

The digits MLP 64-128-128-10, batch 64, dropout 0.1, AdamW, warm-up and cosine, clipping at 1.0, an evaluation per epoch, on one thread, by

- *hand*: the loop of ``reuse_training``: data in memory, an epoch sliced from one permutation, fused AdamW, one wait per epoch;
- *core*: sweeper's plain engine, with all that it reports (scores, gradient norms, checkpoints kept in memory as the loop does);
- *Lightning*: a LightningModule as its documentation writes it, with a DataLoader, without logger, progress bar and checkpoints; only
  its epochs are timed, not the set-up of ``fit``.

They take turns of some epochs in one process. Lightning is no dependency of sweeper: ``pip install lightning`` first, or it is left out.

Usage: python -m benchmarks core_speed [--repeats 15] [--epochs 5]
Writes benchmarks/results/DATE-core_speed.json and .md.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from torch import nn

from benchmarks.digits import digits
from benchmarks.results import setting, write
from benchmarks.reuse_training import BATCH, EPOCHS, Training, multiplier
from sweeper.config.files import config_from_tree, tree_of
from sweeper.core.batches import Resident, Rows
from sweeper.core.course import Course
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial

Turn = Callable[[int], float]
"""Trains so many epochs and returns the seconds that they took."""

NETS = ((32, 2), (128, 2), (256, 3))
LR, DECAY, DROPOUT = 1e-3, 1e-2, 0.1


def hand(width: int, depth: int) -> Turn:
    """The hand-written loop."""
    training = Training(digits())

    def turn(epochs: int) -> float:
        training.begin({"width": width, "depth": depth, "dropout": DROPOUT, "lr": LR, "weight_decay": DECAY})
        started = time.perf_counter()
        for _ in range(epochs):
            training.epoch()
        return time.perf_counter() - started

    return turn


def core(width: int, depth: int) -> Turn:
    """The plain engine, with the reports and the best epoch that the loop keeps."""
    arrays = digits()
    parts = [Rows(torch.tensor(arrays[f"x{part}"]), torch.tensor(arrays[f"y{part}"])) for part in ("", "_val")]
    data = Resident(parts[0], parts[1], (64,), 10, "classification", 1.0, torch.device("cpu"))
    tree = {
        "name": "speed",
        "model": {"family": "mlp", "width": width, "depth": depth, "dropout": DROPOUT},
        "optimizer": {"name": "adamw", "lr": LR, "weight_decay": DECAY},
        "schedule": {"name": "warmup_cosine", "warmup_fraction": 0.1},
        "training": {"batch_size": BATCH, "epochs": EPOCHS, "engine": "plain", "clip_norm": 1.0},
    }
    trial = Trial(0, 0, {}, tree_of(config_from_tree(tree)), "speed")

    def turn(epochs: int) -> float:
        stack = PlainStack([trial], data)
        course = Course(stack.lane(0), data, None, "plain", "")
        started = time.perf_counter()
        for _ in range(epochs):
            course.report(stack.run_epoch()[0])
        return time.perf_counter() - started

    return turn


def lightning(width: int, depth: int) -> Turn:
    """Lightning's Trainer."""
    import lightning as pl
    from torch.utils.data import DataLoader, TensorDataset

    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    arrays = {name: torch.tensor(array) for name, array in digits().items()}
    train = DataLoader(TensorDataset(arrays["x"], arrays["y"]), batch_size=BATCH, shuffle=True)
    val = DataLoader(TensorDataset(arrays["x_val"], arrays["y_val"]), batch_size=len(arrays["x_val"]))

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            incoming = 64
            for _ in range(depth):
                layers += [nn.Linear(incoming, width), nn.ReLU(), nn.Dropout(DROPOUT)]
                incoming = width
            self.net = nn.Sequential(*layers, nn.Linear(incoming, 10))
            self.loss_of = nn.CrossEntropyLoss()

        def training_step(self, batch: Any, _index: int) -> torch.Tensor:
            loss: torch.Tensor = self.loss_of(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, _index: int) -> None:
            outputs = self.net(batch[0])
            self.log("val_loss", self.loss_of(outputs, batch[1]))
            self.log("val_accuracy", (outputs.argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), lr=LR, weight_decay=DECAY, fused=True)
            steps = len(train) * EPOCHS
            scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: multiplier(step, steps))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    class Clock(pl.Callback):
        seconds = 0.0

        def on_train_epoch_start(self, *_: Any) -> None:
            self._began = time.perf_counter()

        def on_train_epoch_end(self, *_: Any) -> None:  # comes after the epoch's validation
            self.seconds += time.perf_counter() - self._began

    def turn(epochs: int) -> float:
        clock = Clock()
        pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            gradient_clip_val=1.0,
            callbacks=[clock],
        ).fit(Module(), train, val)
        return clock.seconds

    return turn


def measure(width: int, depth: int, repeats: int, epochs: int) -> dict[str, Any]:
    """Seconds per epoch by arm, medians of turns."""
    arms = {"hand": hand(width, depth), "core": core(width, depth)}
    if find_spec("lightning"):
        arms["Lightning"] = lightning(width, depth)
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    for repeat in range(repeats + 1):
        for arm, turn in arms.items():
            took = turn(epochs) / epochs
            if repeat:  # the first is the warm-up
                seconds[arm].append(took)
    return {"net": "-".join(map(str, [64, *[width] * depth, 10])), "seconds": {arm: median(took) for arm, took in seconds.items()}}


def page(result: dict[str, Any]) -> str:
    """Ratios for people."""
    lines = [
        f"# One model: the core against a hand-written loop and Lightning, {result['date']}",
        "",
        f"{result['told']}; one thread; median of {result['repeats']} turns of {result['epochs']} epochs each.",
        "`python -m benchmarks core_speed`",
        "",
        "| net, batch 64 | core against hand-written | core against Lightning |",
        "|---|---|---|",
    ]
    for row in result["rows"]:
        seconds = row["seconds"]
        against = f"{seconds['Lightning'] / seconds['core']:.2f}x" if "Lightning" in seconds else "not measured"
        lines.append(f"| {row['net']} | {seconds['hand'] / seconds['core']:.2f}x | {against} |")
    lines += ["", "Above 1: the core is faster."]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="core_speed", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=15, help="turns of each arm (default 15)")
    parser.add_argument("--epochs", type=int, default=5, help="of a turn (default 5)")
    parser.add_argument("--print-only", action="store_true", help="write nothing to benchmarks/results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for width, depth in NETS:
        rows.append(measure(width, depth, options.repeats, options.epochs))
        print(rows[-1], flush=True)
    result = {**setting(), "repeats": options.repeats, "epochs": options.epochs, "rows": rows}
    if not options.print_only:
        write("core_speed", result, page(result))
    print(page(result))
