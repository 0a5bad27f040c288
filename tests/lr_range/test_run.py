"""Range tests of real models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sweeper.config.schema import AdamW, Cnn, Config, Mlp, Sgd, Training
from sweeper.core.stack.fused import FusedStack
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.lr_range import run
from sweeper.lr_range.judge import Status
from sweeper.lr_range.result import LrRangeResult, Scale
from sweeper.lr_range.run import lr_range_test
from sweeper.trial import Trial

MLP = Config(name="mlp")


@pytest.fixture(scope="module")
def result(digits: Dataset) -> LrRangeResult:
    """The test of the default MLP."""
    return lr_range_test(MLP, digits, probe=None)


def test_a_real_network_gets_a_sensible_answer(result: LrRangeResult) -> None:
    """On digits with AdamW the suggestion lies between 1e-4 and 1e-1, and the cost and the horizon are told."""
    assert result.judgement.status is Status.OK
    assert result.judgement.suggestion is not None
    assert 1e-4 < result.judgement.suggestion < 1e-1
    assert (result.name, result.optimizer, result.horizon) == ("mlp", "adamw", 100)
    assert result.cost_steps == 500
    assert result.losses.shape == (5, 100)
    assert result.lrs[[0, -1]] == pytest.approx([1e-7, 10.0])
    assert result.seconds > 0


def test_seeds_differ_and_the_test_repeats_itself(digits: Dataset, result: LrRangeResult) -> None:
    """The same config gives the same curves bit for bit; its seeds give different ones."""
    again = lr_range_test(MLP, digits, probe=None)
    assert np.array_equal(again.losses, result.losses)
    assert not np.array_equal(result.losses[0], result.losses[1])


def test_the_config_s_own_learning_rate_does_not_matter(digits: Dataset, result: LrRangeResult) -> None:
    """The ladder sets the learning rate; what the config says is only its unit."""
    other = lr_range_test(MLP.model_copy(update={"optimizer": AdamW(lr=0.25)}), digits, probe=None)
    assert other.losses[:, :60] == pytest.approx(result.losses[:, :60], rel=1e-3)


def test_the_ladder_is_what_one_would_write(digits: Dataset, result: LrRangeResult) -> None:
    """Where the learning rate is scaled with the batch, the answer is still a value of ``optimizer.lr``."""
    training = Training(scale_lr_with_batch=8 * MLP.training.batch_size)
    scaled = lr_range_test(MLP.model_copy(update={"training": training}), digits, low=8e-7, high=80.0, probe=None)
    assert scaled.losses[:, :60] == pytest.approx(result.losses[:, :60], rel=1e-3)


def test_sgd_wants_more_than_adamw(digits: Dataset, result: LrRangeResult) -> None:
    """A CNN with SGD gets an answer too, and momentum SGD asks for a higher learning rate than AdamW."""
    cnn = lr_range_test(Config(name="cnn", model=Cnn(channels=4), optimizer=AdamW()), digits, steps=60, seeds=2, probe=None)
    sgd = lr_range_test(Config(name="mlp", model=Mlp(), optimizer=Sgd()), digits, probe=None)
    assert cnn.judgement.status is Status.OK
    assert sgd.judgement.suggestion is not None
    assert result.judgement.suggestion is not None
    assert sgd.judgement.suggestion > 3 * result.judgement.suggestion


def test_the_json_gives_the_same_result_back(result: LrRangeResult) -> None:
    """What ``to_json`` writes, ``from_json`` reads, losses that are not finite included."""
    losses = result.losses.copy()
    losses[1, 80:] = np.nan
    wounded = LrRangeResult(**{name: getattr(result, name) for name in result.__dataclass_fields__} | {"losses": losses})
    again = LrRangeResult.from_json(wounded.to_json())
    assert again.to_json() == wounded.to_json()
    assert again.judgement == wounded.judgement
    assert np.array_equal(again.losses, losses, equal_nan=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": "fine"}'])
def test_other_json_is_refused(text: str) -> None:
    """A file that is something else is named in the error."""
    with pytest.raises(InputError, match=r"old\.json.*not the result of a range test"):
        LrRangeResult.from_json(text, "old.json")


def test_a_linear_ladder_looks_at_the_validation_part(digits: Dataset) -> None:
    """The rates climb by equal steps; the accuracy is seen every five of them, and goes up."""
    found = lr_range_test(MLP, digits, scale="linear", seeds=2, steps=52, high=0.03, probe=None)
    assert np.diff(found.lrs) == pytest.approx(np.full(51, found.lrs[0]))
    assert found.lrs[-1] == pytest.approx(0.03)
    assert found.losses.shape == (2, 52)
    assert found.looks is not None
    assert (found.looks.name, found.looks.values.shape) == ("val_accuracy", (2, 11))
    assert found.looks.lrs[[0, -1]] == pytest.approx(found.lrs[[4, 51]])
    assert np.max(found.looks.values) > found.looks.values[0, 0] + 0.3
    again = LrRangeResult.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.scale is Scale.LINEAR


def test_a_linear_ladder_ends_where_a_geometric_one_says(digits: Dataset, result: LrRangeResult) -> None:
    """Unless its end is given: at the end of the bracket that it finds, and both are paid for. Then nobody is told to raise that end."""
    found = lr_range_test(MLP, digits, scale="linear", probe=None)
    assert result.judgement.bracket is not None
    assert found.lrs[[0, -1]] == pytest.approx([result.judgement.bracket[1] / 100, result.judgement.bracket[1]])
    assert found.cost_steps == 1000
    assert found.judgement.status is Status.OK
    given = lr_range_test(MLP, digits, scale="linear", steps=100, high=0.1 * float(found.lrs[-1]))
    assert given.judgement.status is Status.EDGE_OPEN_HIGH


@pytest.mark.parametrize(("option", "word"), [("scale", "linaer"), ("probe", "val-loss")])
def test_a_word_that_is_none_is_refused_with_the_nearest(option: str, word: str, digits: Dataset) -> None:
    """A misspelt scale or metric is told before anything is trained."""
    with pytest.raises(InputError, match=f"{option}.*did you mean"):
        lr_range_test(MLP, digits, **{option: word})  # type: ignore[arg-type]


def test_every_seed_that_diverges_ends_the_test_early(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once no lane is finite, no further step is taken; the rest of the curves is NaN."""
    taken: list[int] = []
    step = FusedStack._take_step  # type: ignore[attr-defined]
    monkeypatch.setattr(FusedStack, "_take_step", lambda self, *given: taken.append(1) or step(self, *given))
    config = MLP.model_copy(update={"optimizer": Sgd(), "training": Training(clip_norm=None)})
    found = lr_range_test(config, digits, low=1e3, high=1e12, seeds=2, steps=100)
    assert len(taken) < 40
    assert found.judgement.suggestion is None
    assert np.isnan(found.losses[:, 40:]).all()


@pytest.mark.parametrize("ladder", [{"low": 0.0}, {"low": 1.0, "high": 0.1}, {"high": float("inf")}, {"steps": 1}, {"seeds": 0}])
def test_a_ladder_that_is_none_is_refused(ladder: dict[str, float], digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Impossible bounds, steps and seeds are input errors, told before anything is trained."""
    monkeypatch.setattr("sweeper.lr_range.run.record_losses", None)
    with pytest.raises(InputError, match="learning-rate range test"):
        lr_range_test(MLP, digits, **ladder)  # type: ignore[arg-type]


def test_a_batch_that_does_not_fit_the_data_is_refused(digits: Dataset) -> None:
    """The core's own refusals come through."""
    with pytest.raises(InputError, match="batch_size"):
        lr_range_test(MLP.model_copy(update={"training": Training(batch_size=100_000)}), digits)


def test_a_plateau_is_climbed_with_more_steps(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody gave a number, 300 follow on 100 that showed nothing; the answer holds for the 300, the cost is that of both."""

    def record(trials: Sequence[Trial], data: Dataset, rate: object, steps: int, *, device: str) -> np.ndarray:
        noise = 2.3 + 0.01 * np.random.default_rng(0).normal(size=(len(trials), steps))
        drop = np.concatenate([np.zeros(180), np.linspace(0, 1, 60), np.linspace(1, -1, 60)])
        return noise if steps == 100 else noise - drop

    monkeypatch.setattr(run, "record_losses", record)
    found = lr_range_test(MLP, digits, probe=None)
    assert (found.judgement.status, found.horizon, found.cost_steps) == (Status.OK, 300, 5 * 400)
    assert "100 steps had shown nothing" in found.judgement.sentence
    asked = lr_range_test(MLP, digits, steps=100, probe=None)
    assert (asked.judgement.status, asked.cost_steps) == (Status.NO_USABLE_REGION, 500)


def test_constant_rates_look_where_the_ladder_shows_nothing(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to where it diverged; what they find is the answer, its status, and in the JSON, with what was trained with besides."""

    def record(trials: Sequence[Trial], data: Dataset, rate: object, steps: int, *, device: str) -> np.ndarray:
        noise = 2.3 + 0.01 * np.random.default_rng(0).normal(size=(len(trials), steps))
        return np.where(np.arange(steps) < 23, noise, np.nan)

    monkeypatch.setattr(run, "record_losses", record)
    found = lr_range_test(MLP, digits, steps=25)
    assert (found.judgement.status, found.judgement.suggestion) == (Status.NO_USABLE_REGION, None)
    assert found.probe is not None
    assert found.probe.scan is not None
    assert found.probe.scan.lrs[-1] == found.lrs[22]
    rates = 3 * len(found.probe.scan.lrs) + 6 * (1 + len(found.probe.lrs))
    assert found.probe.cost_steps == 25 * rates
    assert found.status is Status.OK
    assert found.sentence == found.probe.verdict.sentence
    assert found.suggestion is not None
    assert 2e-3 < found.suggestion < 5e-2
    assert found.answer["status"] == "ok"
    again = LrRangeResult.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.status is Status.OK


def test_a_model_that_does_not_learn_has_no_answer(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the ladder nor from constant rates: the status stays what it is."""
    rng = np.random.default_rng(0)

    def record(trials: Sequence[Trial], data: Dataset, rate: object, steps: int, *, device: str) -> np.ndarray:
        return np.asarray(2.3 + 0.01 * rng.normal(size=(len(trials), steps)))

    monkeypatch.setattr(run, "record_losses", record)
    monkeypatch.setattr("sweeper.lr_range.probe.record_losses", record)
    found = lr_range_test(MLP, digits)
    assert found.probe is not None
    assert (found.status, found.suggestion, found.bracket) == (Status.NO_USABLE_REGION, None, None)
    assert found.sentence == found.judgement.sentence
    assert "no training" in found.probe.verdict.sentence
    assert found.probe.horizon == 300
