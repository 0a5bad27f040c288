"""Everything is put back bit for bit."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset

from sweeper.lr_range.handed import lr_range_test
from sweeper.lr_range.restore import GlobalRandom, Snapshot, reseed, restoring

OPTIMIZERS: dict[str, Callable[[Iterable[Any]], Optimizer]] = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01),
    "amsgrad": lambda groups: torch.optim.Adam(groups, lr=torch.tensor(0.01), amsgrad=True, foreach=False),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=0.01, momentum=0.9, centered=True),
    "adagrad": lambda groups: torch.optim.Adagrad(groups, lr=0.1),
    "nadam": lambda groups: torch.optim.NAdam(groups, lr=0.01),
}


class Net(nn.Module):
    """Batch norm, dropout, a buffer that is not saved, a counter, and plain tensors among the attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.frozen = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)
        self.register_buffer("seen", torch.zeros(3), persistent=False)
        self.average = torch.zeros(8)
        self.calls = 0
        self.history: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class scores."""
        self.calls += 1
        self.history.append(len(x))
        hidden = self.dropout(self.frozen(self.norm(self.inner(x)).relu()))
        self.seen += 1
        self.average = self.average.lerp(hidden.detach().float().mean(0), 0.5)
        scores: torch.Tensor = self.head(hidden)
        return scores


class World:
    """A model half-way through its training, with everything that belongs to it."""

    def __init__(self, optimizer: str, *, used: bool) -> None:
        reseed(11, [])
        self.model = Net()
        self.model.frozen.eval()
        groups = [
            {"params": [*self.model.inner.parameters(), *self.model.norm.parameters()]},
            {"params": self.model.head.parameters(), "lr": 0.03},
        ]
        self.optimizer = OPTIMIZERS[optimizer](groups)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 50)
        rows = TensorDataset(torch.randn(24, 6), torch.randint(3, (24,)))
        self.loader = DataLoader(rows, batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(3))
        self.losses: list[float] = []
        if used:
            self.train(4)
        self.model.inner.weight.grad = torch.randn(8, 6)
        self.model.head.weight.grad = None

    def train(self, steps: int) -> None:
        """Ordinary training."""
        done = 0
        while done < steps:
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = cross_entropy(self.model(x), y) + random.gauss() + np.random.normal()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                self.losses.append(loss.item())
                done += 1

    def bits(self) -> object:
        """All of it: values by their bytes, tensors and containers by where they are."""
        states: dict[Any, Any] = {"empty": not self.optimizer.state, **self.optimizer.state}
        return (
            [(id(one), one.data_ptr(), raw(one), one.requires_grad, raw(one.grad)) for one in self.model.parameters()],
            [raw(one) for one in (*self.model.buffers(), self.model.average)],
            (self.model.calls, list(self.model.history), [module.training for module in self.model.modules()]),
            [(id(key), raw(state)) for key, state in states.items()],
            [raw({key: value for key, value in group.items() if key != "params"}) for group in self.optimizer.param_groups],
            raw(self.scheduler.state_dict()),
            (random.getstate(), raw(np.random.get_state()), raw(torch.get_rng_state())),
            raw(self.loader.generator.get_state()),
        )


def raw(value: object) -> object:
    """A value by its bytes."""
    match value:
        case torch.Tensor():
            return (value.dtype, tuple(value.shape), value.detach().cpu().numpy().tobytes())
        case np.ndarray():
            return value.tobytes()
        case dict():
            return [(key, raw(inner)) for key, inner in value.items()]
        case list() | tuple():
            return [raw(inner) for inner in value]
    return value


@pytest.mark.parametrize("ending", [None, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_test_leaves_no_trace(optimizer: str, used: bool, ending: type[BaseException] | None) -> None:
    """Every optimizer, fresh or used, batch norm in two modes, gradients there and not, however the test ends; and it did train."""
    world = World(optimizer, used=used)
    before, trained = world.bits(), []

    def step(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        if len(trained) == 9 and ending is not None:
            raise ending
        trained.append(raw(world.model.head.weight))
        return cross_entropy(model(batch[0]), batch[1]) + random.gauss() + np.random.normal()

    arguments = {"data": world.loader, "step_fn": step, "low": 1e-3, "high": 1.0, "steps": 6, "repeats": 2, "schedulers": [world.scheduler]}
    if ending is None:
        lr_range_test(world.model, world.optimizer, **arguments)
        assert len(set(trained)) == 11  # both repeats begin with the same weights
    else:
        with pytest.raises(ending):
            lr_range_test(world.model, world.optimizer, **arguments)
    assert world.bits() == before


@pytest.mark.parametrize(
    ("training", "ending"),
    [(True, None), (True, RuntimeError), (True, KeyboardInterrupt), (False, RuntimeError), (False, KeyboardInterrupt)],
)
def test_a_probe_leaves_no_trace_either(training: bool, ending: type[BaseException] | None) -> None:
    """Constant rates, and a shuffled loader of validation rows in eval mode, however either of them ends; and they were reached."""
    world = World("adamw", used=True)
    held_out = DataLoader(world.loader.dataset, 6, shuffle=True, generator=torch.Generator().manual_seed(4))
    before, order = world.bits(), raw(held_out.generator.get_state())
    calls = {True: 0, False: 0}

    def step(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        calls[model.training] += 1
        if ending is not None and model.training is training and calls[training] == (100 if training else 7):
            raise ending
        return cross_entropy(model(batch[0]), torch.zeros_like(batch[1]))

    arguments = {"data": world.loader, "step_fn": step, "validation": held_out, "low": 1e-4, "steps": 60, "repeats": 1, "probe_steps": 25}
    if ending is None:
        assert lr_range_test(world.model, world.optimizer, **arguments).probe is not None
    else:
        with pytest.raises(ending):
            lr_range_test(world.model, world.optimizer, **arguments)
    assert calls[True] > 60 + 25
    assert calls[False] > 4
    assert world.bits() == before
    assert raw(held_out.generator.get_state()) == order


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_training_goes_on_as_if_there_had_been_no_test(optimizer: str) -> None:
    """A run with a range test in the middle has the losses and weights of one without, bit for bit; the scheduler is at its place."""
    plain, tested = World(optimizer, used=True), World(optimizer, used=True)
    plain_rng = GlobalRandom()
    lr_range_test(tested.model, tested.optimizer, cross_entropy, tested.loader, steps=25, repeats=2)
    tested.train(9)
    plain_rng.restore()
    plain.train(9)
    assert tested.losses == plain.losses
    assert raw(tested.model.state_dict()) == raw(plain.model.state_dict())
    assert tested.scheduler.get_last_lr() == plain.scheduler.get_last_lr()


def test_what_the_step_function_changes_is_put_back() -> None:
    """Modes, ``requires_grad``, replaced memory, hooks, a stepped scheduler, an averaged model and a meter are restored too."""
    world = World("sgd", used=True)
    average = torch.optim.swa_utils.AveragedModel(world.model)
    before, average_before = world.bits(), raw(average.state_dict())
    hooks = len(world.model._forward_hooks)
    meter = SimpleNamespace(count=0, mean=torch.zeros(2))

    def step(model: Net, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        model.eval()
        model.norm.weight.requires_grad_(requires_grad=False)
        model.head.weight.data = model.head.weight.data * 2
        model.invented = 1
        model.register_forward_hook(lambda *_: None)
        average.update_parameters(model)
        world.scheduler.step()
        meter.count += 1
        meter.mean += 1
        return cross_entropy(model(batch[0]), batch[1])

    lr_range_test(
        world.model,
        world.optimizer,
        data=world.loader,
        step_fn=step,
        steps=5,
        schedulers=[world.scheduler],
        also_restore=[average, meter],
        snapshot_device="cpu",
    )
    assert world.bits() == before
    assert raw(average.state_dict()) == average_before
    assert len(world.model._forward_hooks) == hooks
    assert not hasattr(world.model, "invented")
    assert (meter.count, meter.mean.tolist()) == (0, [0.0, 0.0])


def test_a_scaler_is_put_back() -> None:
    """A loss scale that was lowered by overflow is the old one again; one that was never used is unused again."""
    world = World("sgd", used=False)
    for scaler in (used := torch.amp.GradScaler("cpu", init_scale=8.0)), torch.amp.GradScaler("cpu", init_scale=2.0**60):
        if scaler is used:
            scaler.scale(torch.ones(1))
        before = raw(scaler.state_dict()), scaler._scale is None
        lr_range_test(world.model, world.optimizer, cross_entropy, world.loader, steps=4, repeats=1, precision="fp16", scaler=scaler)
        assert (raw(scaler.state_dict()), scaler._scale is None) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("snapshot_device", [None, "cpu"])
def test_a_gpu_is_left_as_it_was(snapshot_device: str | None) -> None:
    """Batches are moved to the model; weights, the optimizer's state and the GPU's generator are put back, wherever the copies lie."""
    world = World("adamw", used=True)
    model = world.model.cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    torch.rand(3, device="cuda")

    def bits() -> object:
        return (
            raw(model.state_dict()),
            [one.data_ptr() for one in model.parameters()],
            raw(optimizer.state_dict()),
            raw(torch.cuda.get_rng_state()),
        )

    before = bits()
    model.average = model.average.cuda()
    lr_range_test(model, optimizer, cross_entropy, world.loader, steps=5, precision="fp16", snapshot_device=snapshot_device)
    assert bits() == before


def test_the_generators_of_loader_sampler_and_dataset_are_put_back() -> None:
    """A loader and a sampler with generators of their own, and a dataset that draws noise and counts, go on where they were."""

    class Noisy(Dataset[tuple[torch.Tensor, torch.Tensor]]):
        def __init__(self) -> None:
            self.rng, self.old, self.own = np.random.default_rng(5), np.random.RandomState(5), random.Random(5)  # noqa: S311 - no secret
            self.drawn = 0

        def __len__(self) -> int:
            return 16

        def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
            self.drawn += 1
            noise = self.rng.normal(size=6) + self.old.normal() + self.own.gauss()
            return torch.tensor(noise, dtype=torch.float32), torch.tensor(row % 3)

    def rest(rows: Noisy, *generators: torch.Generator) -> object:
        return rows.drawn, rows.rng.normal(), rows.old.normal(), rows.own.gauss(), [raw(one.get_state()) for one in generators]

    rests = []
    for tested in (False, True):
        rows, order, own = Noisy(), torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
        loader = DataLoader(rows, 8, sampler=RandomSampler(rows, generator=order), generator=own)
        world = World("sgd", used=False)
        if tested:
            lr_range_test(world.model, world.optimizer, cross_entropy, loader, steps=5, repeats=2)
        rests.append(rest(rows, order, own))
    assert rests[0] == rests[1]


def test_containers_keep_their_identity_and_order() -> None:
    """Dictionaries, lists, sets, deques and arrays, however deep, are the same objects with the same content; shared ones stay shared."""
    shared = torch.arange(3.0)
    inner: list[Any] = [shared, {"a": shared}]
    tree = {
        "order": OrderedDict(a=1, b=2), "states": defaultdict(list, {1: inner}), "last": deque([1, 2], maxlen=2),
        "set": {1, 2}, "array": np.arange(4.0), "pair": (inner, torch.full((1,), np.nan)),
    }  # fmt: skip
    tree["itself"] = tree
    wide = torch.zeros(1).expand(4)
    before = raw({key: value for key, value in tree.items() if key != "itself"})
    snapshot = Snapshot([tree, wide])
    tree["order"].move_to_end("a")
    tree["states"][2].append(1)
    tree["last"].append(3)
    tree["set"].clear()
    tree["array"][:] = 7
    tree["pair"][1].zero_()
    inner.clear()
    shared.add_(1)
    wide[:1].add_(1)
    del tree["itself"]
    snapshot.restore()
    assert raw({key: value for key, value in tree.items() if key != "itself"}) == before
    assert tree["itself"] is tree
    assert tree["states"][1] is inner
    assert inner[0] is inner[1]["a"] is shared
    assert wide.tolist() == [0.0] * 4


def test_a_second_interrupt_does_not_stop_the_restoration() -> None:
    """When Ctrl-C is pressed again while things are put back, they are put back from the start, and the interrupt goes on."""
    values = torch.zeros(3)

    class Nervous(Snapshot):
        times = 0

        def restore(self) -> None:
            Nervous.times += 1
            if Nervous.times == 1:
                raise KeyboardInterrupt
            super().restore()

    with pytest.raises(KeyboardInterrupt), restoring(Nervous([values])):
        values += 1
    assert values.tolist() == [0.0] * 3
