"""Constant learning rates for a model that is handed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from sweeper.lr_range.handed import HandedResult, lr_range_test
from sweeper.lr_range.judge import Status
from sweeper.lr_range.probe import Measure
from tests.lr_range.handing import mlp

Rows = tuple[torch.Tensor, torch.Tensor]


def probed(model: nn.Module, optimizer: Optimizer | list[Optimizer], *args: Any, **kwargs: Any) -> HandedResult:
    """A test with as few steps as a probe needs."""
    return lr_range_test(model, optimizer, *args, **{"low": 1e-4, "high": 1.0, "steps": 40, "repeats": 1, "probe_steps": 25, **kwargs})


@pytest.fixture(scope="module")
def tuned(rows: Rows) -> HandedResult:
    """An MLP that knows a thousand digits, tuned on 64 others that are shifted by a pixel; validated on the rest of these."""
    x, y = rows
    moved = x.view(-1, 8, 8).roll(1, 2).flatten(1)
    model = mlp()
    optimizer = AdamW(model.parameters(), lr=3e-3)
    for batch in torch.arange(1000).split(50) * 10:
        optimizer.zero_grad()
        cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    few = DataLoader(TensorDataset(moved[1000:1064], y[1000:1064]), 16, shuffle=True)
    rest = DataLoader(TensorDataset(moved[1064:], y[1064:]), 256)
    return lr_range_test(model, AdamW(model.parameters()), cross_entropy, few, validation=rest, repeats=3)


def test_fine_tuning_gets_a_lower_rate_than_the_ladder_s(tuned: HandedResult) -> None:
    """Validation batches ask for a probe of their loss, from far below the ladder's rate; its answer is the result's, also in JSON."""
    probe = tuned.probe
    assert probe is not None
    assert tuned.judgement.suggestion is not None
    assert (probe.measure, probe.verdict.status, probe.horizon) == (Measure.VAL_LOSS, Status.OK, 100)
    assert probe.lrs == pytest.approx(tuned.judgement.suggestion * 3.0 ** np.arange(-5, 2))
    assert probe.cost_steps == 21 * 100
    assert tuned.suggestion == probe.verdict.suggestion
    assert tuned.suggestion < tuned.judgement.suggestion
    assert tuned.suggestions == ((tuned.suggestion,),)
    again = HandedResult.from_json(tuned.to_json())
    assert again.to_json() == tuned.to_json()
    assert tuned.as_dict()["answer"]["suggestion"] == tuned.suggestion


def test_every_rate_of_a_repeat_sees_the_same(rows: Rows) -> None:
    """From one state, on the same batches and dropout, with the groups in their proportion; another repeat has others.

    All validation batches are looked at after the last step of each rate, in eval mode and without gradients; before everything, the first.
    A step function may take its batches apart.
    """
    x, y = rows
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10))
    optimizer = SGD([{"params": model[0].parameters(), "lr": 0.1}, {"params": model[3].parameters(), "lr": 0.2}], momentum=0.9)
    seen: list[tuple[bytes, bytes, bytes]] = []
    looks: list[int] = []
    taken: list[list[float]] = []

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        while True:
            chosen = torch.randperm(len(x))[:32]
            yield {"x": x[chosen], "y": y[chosen]}

    def step(net: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        labels = batch.pop("y")
        if not net.training:
            assert not torch.is_grad_enabled()
            looks.append(len(labels))
            return cross_entropy(net(batch["x"]), labels)
        hidden = net[:3](batch["x"].mul_(0.9))
        seen.append((net[0].weight.detach().numpy().tobytes(), batch["x"].numpy().tobytes(), hidden.eq(0).numpy().tobytes()))
        return cross_entropy(net[3](hidden), labels)

    optimizer.register_step_pre_hook(lambda one, *_: taken.append([group["lr"] for group in one.param_groups]))
    validation = [{"x": x[:70], "y": y[:70]}, {"x": x[70:80], "y": y[70:80]}]
    found = probed(model, optimizer, data=batches(), step_fn=step, validation=validation)
    assert found.probe is not None
    assert np.isfinite(found.probe.losses).all()
    arms = np.array([row[1] for row in seen[40:]], dtype=object).reshape(3, 7, 25)
    assert all(len(set(arms[repeat, :, at])) == 1 for repeat in range(3) for at in range(25))
    assert len(set(arms[:, 0].flat)) == 75
    first = [seen[40 + 25 * run] for run in range(21)]
    assert len({weights for weights, _, _ in first}) == 1
    assert [len({zeros for _, _, zeros in first[7 * repeat : 7 * repeat + 7]}) for repeat in range(3)] == [1, 1, 1]
    assert sorted(looks[1:]) == [10] * 21 + [70] * 21
    assert looks[0] in {10, 70}
    assert np.array(taken[40:]) == pytest.approx(np.tile(np.repeat(found.probe.lrs, 25), 3)[:, None] * [0.5, 1.0])


def test_losses_are_what_training_with_a_constant_rate_ends_at(rows: Rows) -> None:
    """The mean of the last quarter's training losses and the validation loss are those of an ordinary loop over the same batch."""
    x, y = rows
    for measure in Measure:
        model = mlp()
        validation = [(x[64:], y[64:])] if measure is Measure.VAL_LOSS else None
        found = probed(model, SGD(model.parameters()), cross_entropy, [(x[:64], y[:64])], probe=measure, validation=validation)
        assert found.probe is not None
        optimizer, losses = SGD(model.parameters(), lr=float(found.probe.lrs[2])), []
        for _ in range(25):
            optimizer.zero_grad()
            loss = cross_entropy(model(x[:64]), y[:64])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        expected = np.mean(losses[-6:]) if validation is None else cross_entropy(model(x[64:]), y[64:]).item()
        assert found.probe.losses[:, 2] == pytest.approx([expected] * 3)


def test_a_rate_that_breaks_is_no_number(rows: Rows) -> None:
    """Past the limit of stability least squares leave their start far behind; the rates below have an answer all the same."""
    x, y = rows
    model = nn.Linear(64, 1)
    batches = [(x[at : at + 64], y[at : at + 64, None].float()) for at in range(0, 512, 64)]
    found = probed(model, SGD(model.parameters()), nn.functional.mse_loss, batches, validation=batches[:2])
    assert found.probe is not None
    assert np.isnan(found.probe.losses[:, -1]).all()
    assert np.isfinite(found.probe.losses[:, 0]).all()
    assert found.probe.verdict.status is Status.OK


def test_a_ladder_that_shows_nothing_is_not_probed(loader: DataLoader[Any]) -> None:
    """There is no bracket to probe."""
    model = mlp()
    assert probed(model, SGD(model.parameters()), cross_entropy, loader, high=2e-4, probe="train_loss").probe is None


def test_accumulated_and_scaled_arms(rows: Rows) -> None:
    """Two batches of 16 per step end where one of 32 does; skipped steps of fp16 leave no rate without its steps."""
    x, y = rows
    model = mlp()
    one, two = (
        probed(model, SGD(model.parameters()), cross_entropy, DataLoader(TensorDataset(x[:32], y[:32]), size), probe="train_loss", **more)
        for size, more in ((32, {}), (16, {"accumulate": 2}))
    )
    assert one.probe is not None
    assert two.probe is not None
    assert two.probe.losses == pytest.approx(one.probe.losses, rel=1e-4)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    half = probed(model, SGD(model.parameters()), cross_entropy, [(x[:32], y[:32])], probe="train_loss", precision="fp16", scaler=scaler)
    assert half.probe is not None
    assert half.probe.losses[:, :-1] == pytest.approx(one.probe.losses[:, :-1], rel=0.05)  # the highest rate is next to divergence
