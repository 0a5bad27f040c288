"""Range tests of models that are handed in."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_overloads

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW, Optimizer
from torch.utils.data import DataLoader, TensorDataset

import sweeper
from sweeper.config.schema import Config
from sweeper.errors import InputError
from sweeper.lr_range import api, figure, handed, run
from sweeper.lr_range.handed import HandedResult, lr_range_test
from sweeper.lr_range.judge import Status
from sweeper.lr_range.result import LrRangeResult
from tests.lr_range.handing import mlp, short

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def result(loader: DataLoader[Any]) -> HandedResult:
    """Of the classifier with AdamW."""
    model = mlp()
    return lr_range_test(model, AdamW(model.parameters()), cross_entropy, loader)


def test_a_real_network_gets_a_sensible_answer(result: HandedResult) -> None:
    """On digits with AdamW the suggestion lies between 1e-4 and 1e-1; horizon, cost and the names of the classes are told."""
    assert result.judgement.status is Status.OK
    assert result.suggestion is not None
    assert result.bracket is not None
    assert result.max_lr is not None
    assert 1e-4 < result.suggestion < 1e-1
    assert result.bracket[0] < result.suggestion < result.max_lr < result.bracket[1]
    assert (result.name, result.optimizer, result.horizon) == ("Sequential", "adamw", 100)
    assert result.cost_steps == np.sum(np.isfinite(result.losses))
    assert result.suggestions == ((result.suggestion,),)


def test_gradient_descent_without_momentum_is_judged_as_such(loader: DataLoader[Any], result: HandedResult) -> None:
    """It is told to train with ``max_lr``; whatever has a memory, also beside it, with less."""
    model = mlp()
    plain, momentum = SGD(model[0].parameters()), SGD(model[2].parameters(), momentum=0.9)
    alone = lr_range_test(model, SGD(model.parameters()), cross_entropy, loader)
    beside = lr_range_test(model, [plain, momentum], cross_entropy, loader)
    assert alone.suggestion == alone.max_lr
    for other in (beside, result):
        assert other.suggestion is not None
        assert other.max_lr is not None
        assert other.suggestion < other.max_lr


def test_the_same_call_gives_the_same_curves_and_repeats_differ(loader: DataLoader[Any], result: HandedResult) -> None:
    """Whatever was drawn in between, a second call repeats the first bit for bit; another seed, and each repeat, has other batches."""
    torch.rand(7)
    model = mlp()
    assert np.array_equal(lr_range_test(model, AdamW(model.parameters()), cross_entropy, loader).losses, result.losses, equal_nan=True)
    assert not np.array_equal(result.losses[0], result.losses[1])
    other = short(model, AdamW(model.parameters()), cross_entropy, loader, seed=1)
    assert not np.array_equal(other.losses, short(model, AdamW(model.parameters()), cross_entropy, loader).losses)


def test_it_is_drawn_and_saved_like_any_result(result: HandedResult) -> None:
    """A notebook shows the figure; ``result.json`` gives the result back, and an ordinary one to who reads it as such."""
    assert result._repr_png_() == figure.png(result)
    again = HandedResult.from_json(result.to_json())
    assert again.to_json() == result.to_json()
    assert again.ratios == result.ratios
    assert LrRangeResult.from_json(result.to_json()).judgement == result.judgement
    plain = LrRangeResult(**{name: getattr(result, name) for name in LrRangeResult.__dataclass_fields__})
    with pytest.raises(InputError, match="ratios"):
        HandedResult.from_json(plain.to_json())


def test_one_name_answers_for_both() -> None:
    """``sweeper.lr_range_test`` takes a config or a model and refuses anything else; its faces are those of the two functions."""
    model = mlp()
    assert isinstance(
        sweeper.lr_range_test(model, SGD(model.parameters()), cross_entropy, [(torch.rand(2, 64), torch.ones(2).long())], steps=2),
        HandedResult,
    )
    assert type(sweeper.lr_range_test(config=Config(name="mlp"), steps=2, seeds=1)) is LrRangeResult
    with pytest.raises(InputError, match=r"a list.*torch\.nn\.Module.*ModuleList"):
        sweeper.lr_range_test([model])
    of_config, of_model = (list(inspect.signature(face).parameters) for face in get_overloads(api.lr_range_test))
    assert of_config == list(inspect.signature(run.lr_range_test).parameters)
    assert of_model == list(inspect.signature(handed.lr_range_test).parameters)


def test_ratios_of_groups_survive(loader: DataLoader[Any]) -> None:
    """The ladder is the largest group's; others keep their share of it at every step, zero stays zero, tensors are set in place."""
    model = mlp()
    small = torch.tensor(1e-5)
    groups = [{"params": [model[0].weight], "lr": small}, {"params": [model[0].bias], "lr": 1e-3}, {"params": [model[2].weight], "lr": 0.0}]
    optimizer, seen = SGD(groups), []

    def look(one: Optimizer, *_: object) -> None:
        assert one.param_groups[0]["lr"] is small
        seen.append([float(group["lr"]) for group in one.param_groups])

    optimizer.register_step_pre_hook(look)
    result = short(model, optimizer, cross_entropy, loader)
    assert result.ratios[0] == pytest.approx((0.01, 1.0, 0.0))
    assert np.array(seen) == pytest.approx(np.tile(result.lrs[:, None] * [0.01, 1.0, 0.0], (2, 1)))
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([1e-5, 1e-3, 0.0])


def test_a_warm_up_that_starts_at_zero_does_not_hide_the_rates(loader: DataLoader[Any]) -> None:
    """Where a scheduler has set the rates to zero, the ratios are those of ``initial_lr``."""
    model = mlp()
    optimizer = SGD([{"params": [model[0].weight], "lr": 0.1}, {"params": [model[2].weight], "lr": 0.2}])
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 10)
    assert short(model, optimizer, cross_entropy, loader, schedulers=[scheduler]).ratios == ((0.5, 1.0),)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_gives_about_the_same_answer(precision: Any, loader: DataLoader[Any], result: HandedResult) -> None:
    """Under autocast the suggestion is that of fp32, to a factor of two."""
    model = mlp()
    half = lr_range_test(model, AdamW(model.parameters()), cross_entropy, loader, precision=precision)
    assert half.suggestion == pytest.approx(result.suggestion, rel=1.0)
    assert half.losses[0, 0] != result.losses[0, 0]


def test_a_skipped_step_repeats_its_rung(loader: DataLoader[Any]) -> None:
    """With a loss scale far too high, steps are skipped until it fits, and every rung is there; one that never fits ends it."""
    model, taken = mlp(), []
    optimizer = SGD(model.parameters())
    optimizer.register_step_post_hook(lambda one, *_: taken.append(one.param_groups[0]["lr"]))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    result = short(model, optimizer, cross_entropy, loader, repeats=1, precision="fp16", scaler=scaler)
    assert taken == result.lrs.tolist()
    assert np.all(np.isfinite(result.losses))
    assert scaler.get_scale() == 2.0**24
    hopeless = torch.amp.GradScaler("cpu", init_scale=2.0**100)
    assert np.isfinite(short(model, optimizer, cross_entropy, loader, repeats=1, precision="fp16", scaler=hopeless).losses).sum() == 1


def test_accumulated_batches_equal_one_big_batch(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Four batches of eight give the curve of one of 32: the mean of their losses, and one rung per optimizer step."""
    x, y = rows

    def curve(size: int, **kwargs: Any) -> Any:
        model = mlp()
        batches = DataLoader(TensorDataset(x[:320], y[:320]), size)
        return short(model, SGD(model.parameters(), momentum=0.9), cross_entropy, batches, repeats=1, **kwargs).losses

    assert curve(8, accumulate=4) == pytest.approx(curve(32), rel=1e-5)
    assert curve(32) != pytest.approx(curve(8), rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_clipping_bounds_the_step(precision: Any, loader: DataLoader[Any]) -> None:
    """With plain gradient descent a step is as long as the learning rate times ``clip_norm``, also where gradients come scaled."""
    model, lengths = mlp(), []
    where = [nn.utils.parameters_to_vector(model.parameters()).detach()]
    optimizer = SGD(model.parameters())

    def measure(one: Optimizer, *_: object) -> None:
        where.append(nn.utils.parameters_to_vector(model.parameters()).detach())
        lengths.append(float(torch.linalg.vector_norm(where[-1] - where[-2])) / one.param_groups[0]["lr"])

    optimizer.register_step_post_hook(measure)
    short(model, optimizer, cross_entropy, loader, repeats=1, clip_norm=0.01, high=10.0, precision=precision)
    assert lengths == pytest.approx([0.01] * 6, rel=1e-2)


def test_batches_of_any_kind_through_a_step_function(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Dictionaries from an iterable that is no loader give the curve of the same pairs."""
    x, y = rows
    model = mlp()

    class Pages:
        def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
            yield from ({"input_ids": x[at : at + 8], "labels": y[at : at + 8]} for at in range(0, 24, 8))

    paired = short(model, SGD(model.parameters()), cross_entropy, DataLoader(TensorDataset(x[:24], y[:24]), 8))
    named = short(
        model, SGD(model.parameters()), data=Pages(), step_fn=lambda net, batch: cross_entropy(net(batch["input_ids"]), batch["labels"])
    )
    assert np.array_equal(named.losses, paired.losses)


def test_several_optimizers_step_together_with_one_loss(loader: DataLoader[Any]) -> None:
    """Two optimizers over two halves of a model are one over both, and the ladder is the larger one's."""
    model = mlp()
    one = short(
        model, SGD([{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "lr": 0.2}]), cross_entropy, loader
    )
    two = short(model, [SGD(model[0].parameters(), lr=0.1), SGD(model[2].parameters(), lr=0.2)], cross_entropy, loader)
    assert np.array_equal(one.losses, two.losses)
    assert (two.optimizer, two.ratios) == ("sgd + sgd", ((0.5,), (1.0,)))


def test_adversaries_get_the_gradients_of_their_own_losses() -> None:
    """With one loss per optimizer, each moves its parameters by the gradient of its loss; the curve is the losses' sum."""
    game = nn.ParameterDict({"up": torch.tensor(2.0), "down": torch.tensor(3.0)})
    where: list[tuple[float, float]] = []

    def step(net: Any, _: object) -> list[torch.Tensor]:
        where.append((net["up"].item(), net["down"].item()))
        return [-net["up"] * net["down"], 2 * net["up"] * net["down"]]

    result = short(game, [SGD([game["up"]], lr=1.0), SGD([game["down"]], lr=1.0)], data=[0], step_fn=step, repeats=1)
    for (up, down), (up_next, down_next), lr in zip(where, where[1:], result.lrs, strict=False):
        assert (up_next, down_next) == pytest.approx((up + lr * down, down - 2 * lr * up))
    assert result.losses[0] == pytest.approx([up * down for up, down in where])


def test_negative_losses_are_read_alike(loader: DataLoader[Any], result: HandedResult) -> None:
    """A loss shifted below zero has the answer of the loss itself."""
    model = mlp()
    shifted = lr_range_test(model, AdamW(model.parameters()), lambda output, target: cross_entropy(output, target) - 100, loader)
    assert float(np.nanmax(shifted.losses[:, :50])) < 0
    assert shifted.suggestion == pytest.approx(result.suggestion, rel=0.2)


def test_a_repeat_ends_when_the_loss_is_not_finite_or_stays_far_above(loader: DataLoader[Any]) -> None:
    """What was not reached is NaN, costs nothing, and the steps before are there."""
    model = mlp()
    wild = lr_range_test(model, SGD(model.parameters(), momentum=0.99), cross_entropy, loader, high=1e6, repeats=1)
    reached = int(np.sum(np.isfinite(wild.losses)))
    assert 50 < reached < 95
    assert np.all(np.isnan(wild.losses[0, reached:]))
    assert wild.cost_steps == reached
    calls: list[int] = []

    def step(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        calls.append(1)
        return cross_entropy(net(batch[0]), batch[1]) * (1.0 if len(calls) < 4 else torch.nan)

    assert np.isfinite(short(model, SGD(model.parameters()), data=loader, step_fn=step, repeats=1).losses).tolist() == [
        [True] * 3 + [False] * 3
    ]


def test_a_model_in_eval_mode_is_trained_and_a_frozen_part_stays_frozen(loader: DataLoader[Any]) -> None:
    """Eval mode of the whole model is for evaluating, that of a part is meant."""
    model = nn.Sequential(nn.Linear(64, 10), nn.BatchNorm1d(10), nn.BatchNorm1d(10))
    modes: list[list[bool]] = []

    def step(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        modes.append([module.training for module in net.modules()])
        return cross_entropy(net(batch[0]), batch[1])

    for part, expected in ((model, [True] * 4), (model[2], [True, True, True, False])):
        model.train()
        part.eval()
        modes.clear()
        short(model, SGD(model.parameters()), data=loader, step_fn=step)
        assert modes == [expected] * 12


def test_it_works_inside_no_grad(loader: DataLoader[Any]) -> None:
    """Called from within ``torch.no_grad``, as evaluation code may be, it trains all the same."""
    model = mlp()
    with torch.no_grad():
        assert len(set(short(model, SGD(model.parameters()), cross_entropy, [next(iter(loader))], high=1.0).losses[0])) == 6
