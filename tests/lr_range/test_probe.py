"""The second stage: constant learning rates on common random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sweeper.config.schema import Config, Muon, Training
from sweeper.core.loop import record_losses
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.lr_range.judge import Status
from sweeper.lr_range.probe import Measure, Probe, ended_at, probe
from sweeper.lr_range.result import LrRangeResult
from sweeper.lr_range.run import lr_range_test
from sweeper.lr_range.trials import trials_of

MLP = Config(name="mlp")


@pytest.fixture(scope="module")
def found(digits: Dataset) -> Probe:
    """Of the default MLP with AdamW, from a rate that is too low on."""
    return probe(MLP, digits, 1e-3, steps=30)


def test_a_real_network_gets_a_rate_inside_the_row(found: Probe) -> None:
    """The row goes up to where a rate is too rough; the cost is told."""
    assert found.verdict.status is Status.OK
    assert found.verdict.suggestion is not None
    assert 2e-3 < found.verdict.suggestion < 5e-2
    rates = len(found.lrs)
    assert rates > 3
    assert found.losses.shape == (3, rates)
    assert (found.horizon, found.cost_steps) == (30, 30 * rates * 3)
    assert found.lrs == pytest.approx(1e-3 * 3.0 ** np.arange(-1, rates - 1))


def test_rates_are_compared_on_common_random_numbers() -> None:
    """The trials of a seed differ in the learning rate alone: first weights, rows and dropout follow from the seed."""
    trials = trials_of(MLP, range(3), [1e-3, 1e-2])
    assert [trial.seed for trial in trials[:3]] == [trial.seed for trial in trials[3:]]
    assert [trial.config["optimizer"]["lr"] for trial in trials] == [1e-3] * 3 + [1e-2] * 3
    assert {**trials[0].config, "optimizer": None} == {**trials[3].config, "optimizer": None}


def test_other_rates_of_the_optimizer_keep_their_ratio() -> None:
    """Muon's rate for AdamW moves with it, as in the ladder."""
    muon = trials_of(MLP.model_copy(update={"optimizer": Muon(lr=0.02, adamw_lr=1e-3)}), range(1), [0.2])
    assert (muon[0].config["optimizer"]["lr"], muon[0].config["optimizer"]["adamw_lr"]) == (0.2, pytest.approx(1e-2))


def test_the_number_of_lanes_does_not_matter(digits: Dataset, found: Probe) -> None:
    """A rate's losses are those of training with it alone, bit for bit."""
    alone = record_losses(trials_of(MLP, range(3), [float(found.lrs[2])]), digits, lambda _step: 1.0, 30)
    assert np.array_equal(ended_at(alone), found.losses[:, 2])


def test_the_validation_loss_is_judged_when_asked(digits: Dataset) -> None:
    """Its rates begin far below, since the training loss suggests too high ones on weights that were trained before."""
    found = probe(MLP, digits, 3e-2, measure=Measure.VAL_LOSS, steps=25, seeds=2)
    assert found.lrs[[0, 6]] == pytest.approx([3e-2 / 243, 9e-2])
    assert "validation loss" in found.verdict.sentence
    assert np.argmax(found.losses.mean(axis=0)) == 0


def test_a_rate_that_breaks_is_no_number(digits: Dataset) -> None:
    """Without clipping, momentum diverges at high rates."""
    from sweeper.config.schema import Sgd

    config = MLP.model_copy(update={"optimizer": Sgd(), "training": Training(clip_norm=None)})
    for measure in Measure:
        found = probe(config, digits, 1e5, measure=measure, steps=25, seeds=1)
        assert np.isnan(found.losses[0, -1])


def test_the_range_test_goes_on_with_it(digits: Dataset) -> None:
    """Suggestion, highest rate and bracket are the probe's then, for as many steps as the ladder has, and the JSON gives all of it back."""
    result = lr_range_test(MLP, digits, seeds=2, steps=40)
    assert result.probe is not None
    verdict = result.probe.verdict
    assert verdict.status is Status.OK
    assert verdict.band is not None
    assert result.probe.horizon == 40
    assert (result.suggestion, result.bracket, result.max_lr) == (verdict.suggestion, verdict.bracket, verdict.band[1])
    assert result.judgement.suggestion in result.probe.lrs
    answer = result.as_dict()["answer"]
    assert (answer["suggestion"], answer["horizon"], answer["cost_steps"]) == (result.suggestion, 40, 80 + result.probe.cost_steps)
    again = LrRangeResult.from_json(result.to_json())
    assert again.to_json() == result.to_json()
    assert again.probe is not None
    assert again.probe.verdict == verdict


def test_it_may_be_left_out(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the ladder's answer is taken as it is."""
    monkeypatch.setattr("sweeper.lr_range.probe.record_losses", None)
    result = lr_range_test(MLP, digits, seeds=2, steps=40, probe=None)
    assert result.probe is None
    assert result.suggestion == result.judgement.suggestion is not None


def test_a_probe_without_an_answer_leaves_the_ladder_s(digits: Dataset, found: Probe) -> None:
    """What the first stage said holds where the second cannot tell rates apart."""
    result = lr_range_test(MLP, digits, seeds=2, probe=None)
    blind = replace(found, verdict=replace(found.verdict, status=Status.NO_USABLE_REGION, suggestion=None, band=None, bracket=None))
    asked = replace(result, probe=blind)
    assert (asked.suggestion, asked.bracket, asked.max_lr) == (result.suggestion, result.bracket, result.judgement.max_lr)


@pytest.mark.parametrize("numbers", [{"steps": 24}, {"steps": 25, "seeds": 0}])
def test_numbers_that_mislead_are_refused(numbers: dict[str, int], digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few steps or seeds are input errors, told before anything is trained."""
    monkeypatch.setattr("sweeper.lr_range.probe.record_losses", None)
    with pytest.raises(InputError, match="learning-rate probe"):
        probe(MLP, digits, 1e-3, **numbers)
