"""How fast the core trains one model: against a good hand-written PyTorch loop of the same model, and against Lightning's Trainer.

Digits, AdamW, warm-up and cosine, clipping at 1.0, dropout 0.1, an evaluation per epoch, on one thread, by

- *hand*: a loop as one writes it who knows PyTorch: data in memory, an epoch sliced from one permutation, fused AdamW over one group,
  foreach clipping, no wait for a number within the epoch; it tells training loss and accuracy, gradient norm, validation loss and
  accuracy, and keeps the best epoch's weights;
- *core*: sweeper's plain engine, with all that it reports beside these (F1, the monitor's looks);
- *Lightning*: a LightningModule as its documentation writes it, with a DataLoader, without logger, progress bar and checkpoints; only
  its epochs are timed, not the set-up of ``fit``.

Every arm trains the same module (with torch's ``Dropout`` in place of the core's in the others, but on attention weights). They take
turns of some epochs in one process, in another order each time. Lightning is no dependency of sweeper: ``pip install lightning`` first,
or it is left out.

Usage: python -m benchmarks core_speed [--repeats 15] [--epochs 5] [--net TEXT]
Writes benchmarks/results/DATE-core_speed.json and .md.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median, quantiles
from typing import Any

import torch
from torch import nn

from benchmarks.digits import digits
from benchmarks.lanes import Net, mlp, module_of
from benchmarks.results import setting, write
from benchmarks.reuse_training import multiplier
from sweeper.config.files import config_from_tree, tree_of
from sweeper.core.batches import Resident, Rows
from sweeper.core.course import Course
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial

Turn = Callable[[int], tuple[float, float]]
"""Trains so many epochs and returns the seconds that they took, by the clock and of the processor."""

IMAGE = (1, 8, 8)
NETS = (
    mlp(64, 32, 2, 10, 64),
    mlp(64, 128, 2, 10, 64),
    mlp(64, 256, 3, 10, 64),
    mlp(64, 128, 2, 10, 64, norm="batch"),
    Net("small CNN, 8 channels / 32", IMAGE, 10, 32, {"family": "cnn", "channels": 8, "dropout": 0.1}),
    Net("GRU, 32 wide / 64", IMAGE, 10, 64, {"family": "rnn", "width": 32, "hidden": 32, "dropout": 0.1}),
    Net(
        "transformer, 32 wide / 64",
        IMAGE,
        10,
        64,
        {"family": "transformer", "width": 32, "heads": 2, "depth": 1, "dropout": 0.1},
    ),
)
LR, DECAY, EPOCHS = 1e-3, 1e-2, 20


def tree_for(net: Net) -> dict[str, Any]:
    """The config of a net."""
    return {
        "name": "speed",
        "model": net.model,
        "optimizer": {"name": "adamw", "lr": LR, "weight_decay": DECAY},
        "schedule": {"name": "warmup_cosine", "warmup_fraction": 0.1},
        "training": {"batch_size": net.batch, "epochs": EPOCHS, "engine": "plain", "clip_norm": 1.0},
    }


def tensors(net: Net) -> dict[str, torch.Tensor]:
    """The digits, in the shape that the net takes."""
    return {
        name: torch.tensor(array).reshape(-1, *net.shape) if name.startswith("x") else torch.tensor(array)
        for name, array in digits().items()
    }


def hand(net: Net) -> Turn:
    """The hand-written loop."""
    data = tensors(net)
    x, y, x_val, y_val = (data[name] for name in ("x", "y", "x_val", "y_val"))
    loss_of = nn.CrossEntropyLoss()
    steps = math.ceil(len(x) / net.batch) * EPOCHS

    def turn(epochs: int) -> tuple[float, float]:
        model = module_of(net)
        parameters = list(model.parameters())
        optimizer = torch.optim.AdamW(parameters, lr=LR, weight_decay=DECAY, fused=True)
        step, told, least = 0, [], math.inf
        best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        started, used = time.perf_counter(), time.process_time()
        for _ in range(epochs):
            order = torch.randperm(len(x))
            x_epoch, y_epoch = x[order], y[order]
            losses, norms, outputs = [], [], []
            model.train()
            for rows, targets in zip(torch.split(x_epoch, net.batch), torch.split(y_epoch, net.batch), strict=True):
                optimizer.param_groups[0]["lr"] = LR * multiplier(step, steps)
                optimizer.zero_grad()
                out = model(rows)
                loss = loss_of(out, targets)
                loss.backward()
                norms.append(nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True))
                optimizer.step()
                step += 1
                losses.append(loss.detach() * len(rows))
                outputs.append(out.detach())
            right = (torch.cat(outputs).argmax(1) == y_epoch).sum()
            model.eval()
            with torch.inference_mode():
                out = model(x_val)
                scores = loss_of(out, y_val), (out.argmax(1) == y_val).float().mean()
            train = torch.stack(losses).sum() / len(x), right / len(x), torch.stack(norms).mean()
            told.append(torch.stack([*train, *scores]).tolist())
            if told[-1][3] < least:
                least = told[-1][3]
                for name, tensor in model.state_dict().items():
                    best[name].copy_(tensor)
        return time.perf_counter() - started, time.process_time() - used

    return turn


def core(net: Net) -> Turn:
    """The plain engine, with the reports and the best epoch that the loop keeps."""
    data = tensors(net)
    parts = Rows(data["x"], data["y"]), Rows(data["x_val"], data["y_val"])
    resident = Resident(*parts, net.shape, net.classes, "classification", 1.0, torch.device("cpu"))
    trial = Trial(0, 0, {}, tree_of(config_from_tree(tree_for(net))), "speed")

    def turn(epochs: int) -> tuple[float, float]:
        stack = PlainStack([trial], resident)
        course = Course(stack.lane(0), resident, None, "plain", "")
        started, used = time.perf_counter(), time.process_time()
        for _ in range(epochs):
            course.report(stack.run_epoch()[0])
        return time.perf_counter() - started, time.process_time() - used

    return turn


def lightning(net: Net) -> Turn:
    """Lightning's Trainer."""
    import lightning as pl
    from torch.utils.data import DataLoader, TensorDataset

    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    data = tensors(net)
    train = DataLoader(TensorDataset(data["x"], data["y"]), batch_size=net.batch, shuffle=True)
    val = DataLoader(TensorDataset(data["x_val"], data["y_val"]), batch_size=len(data["x_val"]))

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = module_of(net)
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
        seconds = processor = 0.0

        def on_train_epoch_start(self, *_: Any) -> None:
            self._began = time.perf_counter(), time.process_time()

        def on_train_epoch_end(self, *_: Any) -> None:  # comes after the epoch's validation
            self.seconds += time.perf_counter() - self._began[0]
            self.processor += time.process_time() - self._began[1]

    def turn(epochs: int) -> tuple[float, float]:
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
        return clock.seconds, clock.processor

    return turn


def measure(net: Net, repeats: int, epochs: int) -> dict[str, Any]:
    """Ratios of turns that follow each other, by arm and by kind of time: median and quartiles; and the medians of seconds per epoch."""
    arms = {"hand": hand(net), "core": core(net)}
    if find_spec("lightning"):
        arms["Lightning"] = lightning(net)
    for turn in arms.values():
        turn(epochs)  # the warm-up
    found: dict[str, list[tuple[float, float]]] = {arm: [] for arm in arms}
    for repeat in range(repeats):
        for arm in list(arms)[:: -1 if repeat % 2 else 1]:
            found[arm].append(arms[arm](epochs))
    row: dict[str, Any] = {"net": net.name}
    for place, kind in enumerate(("clock", "processor")):
        row[kind] = {
            arm: quartiles([other[place] / own[place] for other, own in zip(found[arm], found["core"], strict=True)])
            for arm in arms
            if arm != "core"
        }
    row["processor_seconds"] = {arm: median(used for _, used in times) / epochs for arm, times in found.items()}
    return row


def quartiles(ratios: list[float]) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return quantiles(ratios, n=4, method="inclusive")


def page(result: dict[str, Any]) -> str:
    """Ratios for people."""
    lines = [
        f"# One model: the core against a hand-written loop and Lightning, {result['date']}",
        "",
        f"{result['told']}; one thread; {result['repeats']} alternating turns of {result['epochs']} epochs; medians of ratios (quartiles).",
        "`python -m benchmarks core_speed`",
        "",
        "| net / batch | against hand-written: processor time | wall time | against Lightning: processor time | wall time |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        cells = [
            "{1:.2f} ({0:.2f} to {2:.2f})".format(*row[kind][arm]) if arm in row[kind] else "not measured"
            for arm in ("hand", "Lightning")
            for kind in ("processor", "clock")
        ]
        lines.append(f"| {row['net']} | " + " | ".join(cells) + " |")
    middle = median(row["processor"]["hand"][1] for row in result["rows"])
    lines += ["", f"Above 1: the core is faster. Median of the nets against the hand-written loop: {middle:.2f}."]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="core_speed", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=15, help="turns of each arm (default 15)")
    parser.add_argument("--epochs", type=int, default=5, help="of a turn (default 5)")
    parser.add_argument("--net", help="only nets whose name has this in it; nothing is written")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for net in NETS:
        if options.net and options.net not in net.name:
            continue
        rows.append(measure(net, options.repeats, options.epochs))
        print(rows[-1], flush=True)
    result = {**setting(), "repeats": options.repeats, "epochs": options.epochs, "rows": rows}
    print(page(result))
    if not options.net:
        write("core_speed", result, page(result))
