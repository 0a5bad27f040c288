"""How much faster K trials train as one program than one after another, by network and K.

Each row trains the same model by a plain loop with stock ``torch.optim.AdamW``, by the product's plain engine (its best loop for one
model), and stacked with K lanes; all with resident data, dropout, clipping, a schedule and an evaluation per epoch, on one thread (or
one GPU), alternating in one process, median of several. A figure is a time per trial and epoch. The last column is what the product
chooses by itself; its losing cases are in the table too.

Usage: python -m benchmarks lanes [--repeats 7] [--device cpu|cuda] [--precision fp32|bf16]
Writes benchmarks/results/DATE-lanes.json and .md (lanes-cuda-fp32 or lanes-cuda-bf16 on a GPU).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import nn

from benchmarks.results import setting, write
from sweeper.config.files import config_from_tree, tree_of
from sweeper.core import memory, models
from sweeper.core.batches import Resident, Rows
from sweeper.core.dropout import Dropout
from sweeper.core.models.transformer import Attention
from sweeper.core.stack.choose import for_shape
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Trial

TRAIN, VAL = 1077, 360  # digits' own sizes
LANES = {"cpu": (1, 4, 8, 16, 32), "cuda": (1, 8, 32, 64)}


@dataclass(frozen=True)
class Net:
    """One row of the table: ``inputs`` is a width, or the shape of an image; ``most``: lanes that are tried."""

    name: str
    inputs: int | tuple[int, int, int]
    classes: int
    batch: int
    model: dict[str, Any]
    most: int = 64

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""
        return self.inputs if isinstance(self.inputs, tuple) else (self.inputs,)


def mlp(inputs: int, width: int, depth: int, classes: int, batch: int, **more: Any) -> Net:
    told = "-".join(map(str, [inputs, *[width] * depth, classes])) + "".join(f" {value}" for value in more.values())
    return Net(f"{told} / {batch}", inputs, classes, batch, {"family": "mlp", "width": width, "depth": depth, "dropout": 0.1, **more})


NETS = (
    mlp(16, 32, 2, 2, 32),
    mlp(64, 32, 2, 10, 64),
    mlp(32, 64, 2, 10, 64),
    mlp(64, 128, 2, 10, 64),
    mlp(64, 128, 2, 10, 64, norm="batch"),
    mlp(64, 128, 2, 10, 64, norm="layer"),
    mlp(64, 64, 2, 10, 128),
    mlp(64, 128, 2, 10, 256),
    mlp(64, 256, 4, 10, 128),
    mlp(64, 1024, 2, 10, 256),
    Net("small CNN, 8 channels / 32", (1, 8, 8), 10, 32, {"family": "cnn", "channels": 8, "dropout": 0.1}),
)
LARGER = (
    Net("CNN, 32 channels, 3 x 32 x 32 / 128", (3, 32, 32), 10, 128, {"family": "cnn", "channels": 32, "depth": 3, "residual": True}),
    Net("transformer, 2 x 64, 8 x 8 / 128", (1, 8, 8), 10, 128, {"family": "transformer", "width": 64, "depth": 2, "patch": 2}),
    Net("GRU, 2 x 64, 32 steps of 8 / 128", (1, 32, 8), 10, 128, {"family": "rnn", "width": 64, "depth": 2}, most=1),
    Net(
        "CNN, 128 channels, 3 x 64 x 64 / 256",
        (3, 64, 64),
        10,
        256,
        {"family": "cnn", "channels": 128, "depth": 3, "residual": True},
        most=1,
    ),
)
"""Beside the others on a GPU."""


def data_of(net: Net, device: torch.device) -> Resident:
    generator = torch.Generator().manual_seed(0)
    parts = []
    for rows in (TRAIN, VAL):
        x = torch.randn(rows, *net.shape, generator=generator)
        parts.append(Rows(x.to(device), torch.randint(0, net.classes, (rows,), generator=generator).to(device)))
    return Resident(parts[0], parts[1], net.shape, net.classes, "classification", 1.0, device)


def trial_of(net: Net, number: int, engine: str = "auto", precision: str = "fp32") -> Trial:
    training = {"batch_size": net.batch, "epochs": 1000, "seed": number, "engine": engine, "precision": precision}
    tree = {"name": "lanes", "model": net.model, "training": training}
    return Trial(number, number, {}, tree_of(config_from_tree(tree)), net.name)


def module_of(net: Net) -> nn.Module:
    """The net with torch's own dropout."""
    model = models.build(config_from_tree(trial_of(net, 0).config).model, net.shape, net.classes)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Dropout) and not isinstance(module, Attention):  # which asks its own whether it is active
                setattr(module, name, nn.Dropout(child.p))
    return model


def stock(net: Net, data: Resident, precision: str) -> Callable[[], None]:
    """An epoch of the loop that anybody would write: no DataLoader, but torch's default optimizer and an ``item`` per epoch only."""
    model = module_of(net).to(data.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10**6)
    loss_of = nn.CrossEntropyLoss()
    autocast = torch.autocast(data.device.type, torch.bfloat16, enabled=precision == "bf16")

    def epoch() -> None:
        model.train()
        for rows in torch.split(torch.randperm(len(data.train), device=data.device), net.batch):
            optimizer.zero_grad()
            with autocast:
                loss = loss_of(model(data.train.x[rows]), data.train.y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            outputs = model(data.val.x)
            loss_of(outputs, data.val.y).item()
            (outputs.argmax(1) == data.val.y).float().mean().item()

    return epoch


def measure(net: Net, device: torch.device, repeats: int, precision: str) -> dict[str, Any]:
    """Seconds per trial and epoch of every arm, and what is chosen."""
    data = data_of(net, device)
    most = max(LANES[device.type])
    trials = [trial_of(net, number, precision=precision) for number in range(most)]
    arms: dict[str, tuple[Callable[[], Any], int]] = {
        "stock": (stock(net, data, precision), 1),
        "plain": (PlainStack(trials[:1], data).run_epoch, 1),
    }
    arms |= {str(lanes): (FusedStack(trials[:lanes], data).run_epoch, lanes) for lanes in LANES[device.type] if lanes <= net.most}
    choice = for_shape(trials[0], data)
    chosen = str(choice.lanes) if choice.engine == "stacked" else "plain"
    if chosen not in arms:
        arms[chosen] = (FusedStack(trials[: choice.lanes], data).run_epoch, choice.lanes)
    times: dict[str, list[float]] = {arm: [] for arm in arms}
    for repeat in range(repeats + 1):
        for arm, (epoch, lanes) in arms.items():
            started = time.perf_counter()
            epoch()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if repeat:  # the first is the warm-up
                times[arm].append((time.perf_counter() - started) / lanes)
    return {"net": net.name, "seconds": {arm: median(found) for arm, found in times.items()}, "chosen": chosen, "reason": choice.reason}


def page(result: dict[str, Any]) -> str:
    """The table for people: ratios alone."""
    lanes = [str(number) for number in LANES[result["device"]]]
    head = ["net / batch", "plain", *lanes, "chosen", "chosen against plain"]
    lines = [
        f"# Lanes on {result['device']}: times as fast as a plain loop with stock AdamW, {result['date']}",
        "",
        f"{result['told']}; {result['precision']}; one thread; time per trial and epoch, median of {result['repeats']} alternating.",
        "`python -m benchmarks lanes`",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for row in result["rows"]:
        seconds, chosen = row["seconds"], row["chosen"]
        ratios = [f"{seconds['stock'] / seconds[arm]:.2f}" if arm in seconds else "-" for arm in ["plain", *lanes]]
        against = seconds["plain"] / seconds[chosen]
        lines.append(
            "| " + " | ".join([row["net"], *ratios, f"{chosen}: {seconds['stock'] / seconds[chosen]:.2f}", f"{against:.2f}"]) + " |"
        )
    lines += [
        "",
        "`plain` is the product's own engine for one model, a number K lanes, `chosen` what the product takes after timing a few steps.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure every net and write the table."""
    parser = argparse.ArgumentParser(prog="lanes", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7, help="timed epochs of each arm (default 7)")
    parser.add_argument("--device", choices=list(LANES), default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--net", help="only nets whose name has this in it; nothing is written")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    memory.keep_freed()  # as a worker does; the plain loops profit, too
    device = torch.device(options.device)
    rows = []
    for net in NETS + (LARGER if options.device == "cuda" else ()):
        if options.net and options.net not in net.name:
            continue
        rows.append(measure(net, device, options.repeats, options.precision))
        seconds = rows[-1]["seconds"]
        told = ", ".join(f"{arm} {seconds['stock'] / value:.2f}" for arm, value in seconds.items())
        print(f"{net.name}: {told}; chosen {rows[-1]['chosen']}", flush=True)
    result = {**setting(device), "device": options.device, "precision": options.precision, "repeats": options.repeats, "rows": rows}
    print(page(result))
    if not options.net:
        write("lanes" if options.device == "cpu" else f"lanes-cuda-{options.precision}", result, page(result))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
