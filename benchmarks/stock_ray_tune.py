"""The stock arm of vs_ray_tune: random search on Ray Tune as its documentation writes it.

``Tuner`` with ``OptunaSearch`` (random sampler), ``ASHAScheduler`` and ``MLflowLoggerCallback``, and a function trainable that
reports once per epoch. Choices are made in its favour where the documentation leaves one: data is prepared once and sits in
tensors (no DataLoader), no checkpoint is written, the dashboard is off.

Usage: python -m benchmarks.stock_ray_tune TRIALS.json DIRECTORY
TRIALS.json holds a list of configs (width, depth, dropout, lr, weight_decay), which OptunaSearch is given to evaluate.
The last line of the output, ``winner: {...}``, is printed when the winner is known.
"""

from __future__ import annotations

import json
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import ray
import torch
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from torch import nn

from benchmarks.digits import digits

EPOCHS, BATCH, WARMUP = 20, 64, 0.1


def build(width: int, depth: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    incoming = 64
    for _ in range(depth):
        layers += [nn.Linear(incoming, width), nn.ReLU(), nn.Dropout(dropout)]
        incoming = width
    return nn.Sequential(*layers, nn.Linear(incoming, 10))


def train(config: dict[str, Any], data: dict[str, np.ndarray], started: Path) -> None:
    """The trainable; ``started`` is made by the first call of all, to tell when training began."""
    torch.manual_seed(0)
    x, y, x_val, y_val = (torch.from_numpy(data[name].copy()) for name in ("x", "y", "x_val", "y_val"))
    model = build(config["width"], config["depth"], config["dropout"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])
    steps = math.ceil(len(x) / BATCH) * EPOCHS
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=int(WARMUP * steps))
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - int(WARMUP * steps))
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[int(WARMUP * steps)])
    loss_of = nn.CrossEntropyLoss()
    with suppress(FileExistsError):
        started.touch(exist_ok=False)
    for _ in range(EPOCHS):
        model.train()
        total = 0.0
        for rows in torch.split(torch.randperm(len(x)), BATCH):
            optimizer.zero_grad()
            loss = loss_of(model(x[rows]), y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            outputs = model(x_val)
        accuracy = (outputs.argmax(1) == y_val).float().mean().item()
        tune.report(
            {
                "train_loss": total / len(x),
                "val_loss": loss_of(outputs, y_val).item(),
                "val_accuracy": accuracy,
                "lr": schedule.get_last_lr()[0],
            }
        )


def main(trials: Path, directory: Path) -> None:
    configs = json.loads(trials.read_text())
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    space = {
        "width": tune.choice([64, 128, 256]),
        "depth": tune.randint(1, 4),
        "dropout": tune.uniform(0.0, 0.5),
        "lr": tune.loguniform(1e-4, 1e-2),
        "weight_decay": tune.loguniform(1e-4, 1e-1),
    }
    tuner = tune.Tuner(
        tune.with_parameters(train, data=digits(), started=directory / "started"),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="val_loss",
            mode="min",
            num_samples=len(configs),
            search_alg=OptunaSearch(sampler=optuna.samplers.RandomSampler(seed=0), points_to_evaluate=configs),
            scheduler=ASHAScheduler(time_attr="training_iteration", max_t=EPOCHS, grace_period=2, reduction_factor=3),
        ),
        run_config=tune.RunConfig(
            name="digits",
            storage_path=str(directory / "ray_results"),
            callbacks=[MLflowLoggerCallback(tracking_uri=f"sqlite:///{directory / 'mlflow.db'}", experiment_name="digits")],
        ),
    )
    best = tuner.fit().get_best_result(metric="val_loss", mode="min", scope="all")
    print(f"winner: {json.dumps(best.config)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
