"""The libraries themselves on recorded curves: each trains a model whose loss is what was recorded, and is asked for its suggestion.

None of them is a dependency of this project. Put those that are to be compared on ``PYTHONPATH``.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.ranges import peers

Asked = Callable[[np.ndarray], Mapping[str, tuple[float | None, np.ndarray]]]
"""Takes the recorded losses; gives a suggestion and the library's own ladder, by the rule's name."""


class Played(nn.Module):
    """One parameter that changes nothing; its outputs' mean is the next of the recorded losses."""

    def __init__(self, losses: Sequence[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self._losses = chain(losses, repeat(losses[-1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The next loss, for each row."""
        return next(self._losses) + 0.0 * self.weight * x.sum(1)


def _rows(steps: int) -> DataLoader[tuple[torch.Tensor, ...]]:
    return DataLoader(TensorDataset(torch.zeros(steps, 1), torch.zeros(steps)), batch_size=1)


def _mean(outputs: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return outputs.mean()


def fastai(losses: np.ndarray) -> Mapping[str, tuple[float | None, np.ndarray]]:
    """All four rules by ``Learner.lr_find``, one run each, since an exception of one rule ends the run."""
    from fastai.callback.schedule import minimum, slide, steep, valley
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

    found = {}
    for rule in (valley, slide, steep, minimum):
        rows = _rows(len(losses))
        learner = Learner(DataLoaders(rows, rows), Played(losses.tolist()), loss_func=_mean, path=Path.cwd())
        with learner.no_bar():
            try:
                lr = float(learner.lr_find(num_it=len(losses), show_plot=False, suggest_funcs=rule)[0])
            except (IndexError, ValueError, RuntimeError):
                lr = None
        found[f"fastai {rule.__name__}"] = (lr, 1e-7 * (10 / 1e-7) ** (np.arange(len(losses)) / len(losses)))
    return found


def lightning(losses: np.ndarray) -> Mapping[str, tuple[float | None, np.ndarray]]:
    """``Tuner.lr_find``, whose rule changed with 2.5.3."""
    import lightning as module
    from lightning.pytorch.tuner import Tuner

    class Task(module.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.played = Played(losses.tolist())
            self.lr = 1e-3

        def training_step(self, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
            return self.played(batch[0]).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=self.lr)

    trainer = module.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, max_epochs=3
    )
    finder = Tuner(trainer).lr_find(Task(), train_dataloaders=_rows(len(losses)), min_lr=1e-7, max_lr=10, num_training=len(losses))
    name = "Lightning" if tuple(int(part) for part in version("lightning").split(".")[:3]) >= (2, 5, 3) else "Lightning < 2.5.3"
    lrs = np.array(finder.results["lr"])
    return {name: (finder.suggestion(), np.concatenate([lrs, np.full(len(losses) - len(lrs), 10.0)]))}


def torch_lr_finder(losses: np.ndarray) -> Mapping[str, tuple[float | None, np.ndarray]]:
    """``LRFinder.plot`` with its suggestion."""
    from matplotlib import pyplot as plt
    from torch_lr_finder import LRFinder

    model = Played(losses.tolist())
    finder = LRFinder(model, torch.optim.SGD(model.parameters(), lr=1e-7), _mean)
    finder.range_test(_rows(len(losses)), end_lr=10, num_iter=len(losses))
    try:
        lr = finder.plot(ax=plt.subplots()[1])[1]
    except RuntimeError:
        lr = None
    plt.close("all")
    return {"torch-lr-finder": (lr, np.geomspace(1e-7, 10, len(losses)))}


def ignite(losses: np.ndarray) -> Mapping[str, tuple[float | None, np.ndarray]]:
    """``FastaiLRFinder.lr_suggestion``; its ladder begins one step late."""
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import FastaiLRFinder

    model = Played(losses.tolist())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)
    trainer, finder = create_supervised_trainer(model, optimizer, _mean), FastaiLRFinder()
    with finder.attach(trainer, {"model": model, "optimizer": optimizer}, num_iter=len(losses), end_lr=10.0) as attached:
        attached.run(_rows(len(losses)))
    try:
        lr = finder.lr_suggestion()
    except RuntimeError:
        lr = None
    lrs = np.array(finder.get_results()["lr"][: len(losses)])
    return {"ignite": (lr, np.concatenate([lrs, np.full(len(losses) - len(lrs), 10.0)]))}


LIBRARIES: Mapping[str, tuple[str, Asked]] = {
    "fastai": ("fastai", fastai),
    "lightning": ("lightning", lightning),
    "torch_lr_finder": ("torch-lr-finder", torch_lr_finder),
    "ignite": ("pytorch-ignite", ignite),
}
"""The module's name, the distribution's, and how it is asked."""


def compared(curves: Sequence[np.ndarray]) -> Iterator[str]:
    """A line per rule of each library that can be imported: on how many curves it says what ``peers`` says, and where not."""
    for module, (distribution, ask) in LIBRARIES.items():
        if find_spec(module) is None:
            yield f"{distribution}: not installed"
            continue
        told: dict[str, list[tuple[float | None, float | None]]] = {}
        with _quiet(), tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for losses in curves:
                for name, (theirs, lrs) in ask(losses).items():
                    told.setdefault(name, []).append((theirs, peers.PEERS[name](lrs, losses)))
        for name, pairs in told.items():
            unlike = [pair for pair in pairs if not _same(*pair)]
            yield f"{name} ({distribution} {version(distribution)}): {len(pairs) - len(unlike)} of {len(pairs)} equal {unlike[:3] or ''}"


def _same(theirs: float | None, ours: float | None) -> bool:
    if theirs is None or ours is None:
        return theirs is ours
    return bool(np.isclose(theirs, ours, rtol=1e-4))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What libraries print, log and warn of is not the point here."""
    logging.disable(logging.WARNING)
    os.environ.setdefault("MPLBACKEND", "agg")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)
