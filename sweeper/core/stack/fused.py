"""K trials as one program: one forward, one backward and one pass over memory for all lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import torch
from torch.nn import functional

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Config
from sweeper.core import init, models, monitor, optim, schedule
from sweeper.core.augment import Augmentation
from sweeper.core.batches import Plan, Resident
from sweeper.core.diagnose import WATCHED
from sweeper.core.evaluate import CHUNK_BYTES, hits, lane_gradients, lane_losses, scores
from sweeper.core.schedule import Schedule
from sweeper.core.stack import kernels
from sweeper.core.stack.feed import Batch, Chunk, epoch_of
from sweeper.core.stack.forward import Fit, fit
from sweeper.core.stack.fused_lane import FusedLane
from sweeper.core.stack.graph import Replayed
from sweeper.core.stack.layers import Pass
from sweeper.core.stack.slabs import Slabs, padded
from sweeper.trial import Metric, Trial

Step: TypeAlias = tuple[torch.Tensor, ...]
"""Outputs [K, rows, outputs] and losses [K] before the step (NaN where nobody records them), and the gradients' norms [K] before
clipping; or a part of these."""


LOOK_EVERY = 10
"""Steps of a recording after which it is asked whether any lane is still finite, which waits for the device."""


class FusedStack:
    """Lanes by slot in one set of slabs.

    Rows that no trial uses any more are cut out before the next epoch; on a GPU, where new slabs mean a new recording, once they are
    half of all.

    Args:
        trials: of one shape; their position is their slot.
        data: on the device.
        rates: another schedule than the configs', for the range test.
        steps: horizon of ``rates``.

    Raises:
        InputError: a config does not fit the data.
        UnstackableError: the model cannot be stacked (``fit`` says why).
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        data: Resident,
        rates: Schedule | None = None,
        steps: int | None = None,  # noqa: ARG002 - no table is made of the rates here, but of a plain stack's
    ) -> None:
        self._data = data
        self._rates = rates
        config = config_from_tree(trials[0].config)
        self._plan = Plan.of(config, len(data.train))
        self._template = models.build(config.model, data.input_shape, data.outputs, data.tokens)
        self._watched = monitor.watched(self._template)
        self._fit: Fit = fit(self._template, config, data)
        self._lanes: dict[int, FusedLane] = {}
        self._idle: list[FusedLane] = []
        self._last_rates: list[float] = []
        self._looking = False
        # What a recorded step returns is fixed, and a device that waits for nobody does not mind.
        self._recording = data.device.type != "cpu"
        self._before = torch.empty(0)
        self._make(len(trials), config)
        for slot, trial in enumerate(trials):
            self._enter(slot, slot, trial)
        self._adopt()
        unit = self._fit.forward.row_unit
        every = data.val.take(slice(None)).x
        val = every.flatten(1) if self._fit.forward.flat else every
        self._val = padded(val, -(-len(val) // unit) * unit, 0)

    def lane(self, slot: int) -> FusedLane:
        """See ``Stack.lane``."""
        return self._lanes[slot]

    def put(self, slot: int, trial: Trial) -> FusedLane:
        """See ``Stack.put``."""
        if slot in self._lanes:
            self.drop(slot)
        if not self._idle:
            self._resize(len(self._lanes) + 1)
        row = self._idle.pop().row if self._idle else len(self._lanes)
        lane = self._enter(slot, row, trial)
        self._adopt()
        return lane

    def drop(self, slot: int) -> None:
        """See ``Stack.drop``."""
        self._idle.append(self._lanes.pop(slot))

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """See ``Stack.run_epoch``."""
        if self._idle and (self._data.device.type == "cpu" or len(self._idle) >= len(self._lanes)):
            self._resize(len(self._lanes))
        self._looking = any(self._looks_into(lane, lane.epoch + 1) for lane in self._lanes.values())
        told = self._told({**self._train_epoch(), **self._evaluate()})
        return {slot: metrics | {"lr": self._last_rates[self._lanes[slot].row]} for slot, metrics in told.items()}

    def record(self, steps: int) -> torch.Tensor:
        """See ``Stack.record``."""
        found: list[torch.Tensor] = []
        self._recording = True
        for _, loss, _ in islice(self._endless(), steps):
            found.append(loss)
            if len(found) % LOOK_EVERY == 0 and not torch.isfinite(loss).any():
                break
        losses = functional.pad(torch.stack(found, 1).cpu(), (0, steps - len(found)), value=torch.nan)
        broken = ~torch.isfinite(losses)
        return losses.masked_fill(broken.cumsum(1) > broken.long(), torch.nan)

    def validate(self) -> dict[int, dict[str, float]]:
        """See ``Stack.validate``."""
        return self._told(self._evaluate())

    def rehearse(self) -> Iterator[object]:
        """See ``Stack.rehearse``."""
        return self._endless()

    def _told(self, found: dict[str, torch.Tensor]) -> dict[int, dict[str, float]]:
        """Numbers of all rows, as each lane has them, on the host by one transfer."""
        table = torch.stack([value.to(torch.float64) for value in found.values()]).tolist()
        return {
            slot: {
                name: table[row][lane.row]
                for row, name in enumerate(found)
                if not name.startswith(WATCHED) or self._looks_into(lane, lane.epoch)
            }
            for slot, lane in self._lanes.items()
        }

    def _make(self, lanes: int, config: Config) -> None:
        """Slabs of so many rows with an optimizer, and the step on them."""
        device = self._data.device
        self._slabs = Slabs(self._template, lanes, device)
        self._optimizer = kernels.build(config.optimizer, self._slabs)
        self._smoothing, self._clip, self._clip_value = (torch.zeros(lanes, device=device) for _ in range(3))
        self._unknown = torch.full((lanes,), torch.nan, device=device)
        self._step: Callable[..., Step] = self._take_step
        self._add: Callable[..., Step] = self._add_gradient
        self._finish: Callable[..., Step] = self._update
        if device.type == "cuda":
            slabs, optimizer = self._slabs, self._optimizer
            state = [slabs.values.detach(), slabs.gradient, *slabs.buffers.values(), *optimizer.moments, optimizer.steps]
            self._step, self._add, self._finish = (Replayed(part, state) for part in (self._take_step, self._add_gradient, self._update))

    def _enter(self, slot: int, row: int, trial: Trial) -> FusedLane:
        config = config_from_tree(trial.config)
        optim.check(config.optimizer)
        self._slabs.load(row, init.fresh(config, self._data, trial.seed).state_dict())
        for moment in self._optimizer.moments:
            moment[row].zero_()
        self._optimizer.steps[row] = 0
        rates = self._rates or schedule.build(config.schedule, config.training.epochs, self._plan.steps)
        self._lanes[slot] = lane = FusedLane(
            trial, config, self._slabs, self._optimizer, row, rates, self._plan.steps, Augmentation(config, self._data)
        )
        return lane

    def _resize(self, lanes: int) -> None:
        """New slabs of so many rows; the lanes that are there keep their bits and take the first rows."""
        before, optimizer = self._slabs, self._optimizer
        rows = [lane.row for lane in self._lanes.values()]
        self._make(lanes, next(iter(self._lanes.values())).config)
        pairs = [(before.values.detach(), self._slabs.values.detach()), (optimizer.steps, self._optimizer.steps)]
        pairs += zip(optimizer.moments, self._optimizer.moments, strict=True)
        pairs += [(before.buffers[name], buffer) for name, buffer in self._slabs.buffers.items()]
        for old, new in pairs:
            new[: len(rows)] = old[rows]
        for row, lane in enumerate(self._lanes.values()):
            lane.row, lane.slabs, lane.optimizer = row, self._slabs, self._optimizer
        self._idle = []
        if lanes == len(rows):
            self._adopt()

    def _adopt(self) -> None:
        """Brings what differs from lane to lane into the order of the rows."""
        self._by_row = sorted([*self._lanes.values(), *self._idle], key=lambda lane: lane.row)
        trainings = [lane.config.training for lane in self._by_row]
        self._smoothing.copy_(torch.tensor([training.label_smoothing for training in trainings]))
        self._clip.copy_(torch.tensor([training.clip_norm or torch.inf for training in trainings]))
        self._clip_value.copy_(torch.tensor([training.clip_value or torch.inf for training in trainings]))
        # A recorded step serves lanes that clip by value and lanes that do not.
        self._by_value = self._data.device.type != "cpu" or any(training.clip_value for training in trainings)
        self._optimizer.adopt([lane.config.optimizer for lane in self._by_row])

    def _train_epoch(self) -> dict[str, torch.Tensor]:
        plan, task = self._plan, self._data.task
        loss = torch.zeros(len(self._by_row), dtype=torch.float64, device=self._data.device)
        right = torch.zeros_like(loss)
        norms: list[torch.Tensor] = []
        for chunk in epoch_of(self._by_row, self._data, plan, self._fit):
            steps = list(self._steps(chunk))
            norms += [norm for _, _, norm in steps]
            outputs = torch.cat([outputs for outputs, _, _ in steps], 1)
            loss += lane_losses(outputs, chunk.y, task).double() * chunk.y.shape[1]
            if task != "regression":
                right += hits(outputs, chunk.y, task)
        found = {"train_loss": loss / plan.used, "grad_norm": torch.stack(norms, 1).nanmean(1)}
        if task != "regression":
            found["train_accuracy"] = right / plan.used
        if self._looking:
            found |= monitor.named(self._inside(torch.stack(norms, 1)))
        return found

    def _looks_into(self, lane: FusedLane, epoch: int) -> bool:
        return lane.config.training.monitor and monitor.due(epoch, self._plan.steps)

    @torch.no_grad()
    def _inside(self, norms: torch.Tensor) -> dict[str, torch.Tensor]:
        """What ``monitor`` makes of the epoch just trained, whose norms are [K, steps]."""
        slabs, lanes, unit = self._slabs, len(self._by_row), self._fit.forward.row_unit
        rows = min(monitor.PROBE_ROWS, len(self._data.val))
        probe = self._val[: -(-rows // unit) * unit]
        layers = self._fit.forward.activations(
            probe.expand(lanes, *probe.shape), Pass(slabs.leaves, slabs.buffers, [], rows, training=False)
        )
        found = monitor.norms(norms) | monitor.weights(self._before, slabs.values) | monitor.activations(layers)
        clipped = torch.linalg.vector_norm(slabs.gradient, dim=1)
        return found | monitor.gradients([slabs.gradients[name] for name in self._watched], norms[:, -1], clipped)

    def _endless(self) -> Iterator[Step]:
        """A step at each ``next``, epoch after epoch."""
        while True:
            for chunk in epoch_of(self._by_row, self._data, self._plan, self._fit):
                yield from self._steps(chunk)

    def _steps(self, chunk: Chunk) -> Iterator[Step]:
        rates: Sequence[list[float]] | torch.Tensor = chunk.rates
        if self._data.device.type != "cpu":
            rates = torch.tensor(chunk.rates, device=self._data.device)
        for step, (batches, rate) in enumerate(zip(chunk.steps, rates, strict=True), 1):
            if self._looking and step == len(chunk.rates):
                self._before = self._slabs.values.detach().clone()
            if len(batches) == 1:
                (batch,) = batches
                yield self._step(rate, *batch.tensors())
            else:
                yield self._accumulated(batches, rate)
        self._last_rates = chunk.rates[-1]

    def _accumulated(self, batches: Sequence[Batch], rates: torch.Tensor | Sequence[float]) -> Step:
        """A step on some batches, whose gradients are added up."""
        self._slabs.gradient.zero_()
        found = [self._add(*batch.tensors()) for batch in batches]
        (norms,) = self._finish(rates)
        return torch.cat([outputs for outputs, _ in found], 1), torch.stack([losses for _, losses in found]).sum(0), norms

    def _take_step(self, rates: torch.Tensor | Sequence[float], x: torch.Tensor, y: torch.Tensor, *others: torch.Tensor | None) -> Step:
        outputs, losses, gradients = self._differentiate(x, y, *others)
        self._slabs.take_gradients(gradients)
        return outputs, losses, *self._update(rates)

    def _add_gradient(self, x: torch.Tensor, y: torch.Tensor, *others: torch.Tensor | None) -> Step:
        outputs, losses, gradients = self._differentiate(x, y, *others)
        self._slabs.add_gradients(gradients)
        return outputs, losses

    def _differentiate(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        weight: torch.Tensor | None,
        other: torch.Tensor | None,
        other_weight: torch.Tensor | None,
        *masks: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
        task, smoothing, weights = self._data.task, self._smoothing, (weight, other, other_weight)
        this = Pass(self._slabs.leaves, self._slabs.buffers, [mask for mask in masks if mask is not None], y.shape[1], training=True)
        outputs, gradients = self._fit.forward.differentiate(x, this, lambda outputs: lane_gradients(outputs, y, task, smoothing, *weights))
        losses = lane_losses(outputs, y, task, smoothing, *weights) if self._recording else self._unknown
        return outputs, losses, gradients

    def _update(self, rates: torch.Tensor | Sequence[float]) -> Step:
        norms = torch.linalg.vector_norm(self._slabs.gradient, dim=1)
        if self._by_value:
            limit = self._clip_value.unsqueeze(1)
            torch.clamp(self._slabs.gradient, -limit, limit, out=self._slabs.gradient)
        self._optimizer.step(rates, ((norms + 1e-6) / self._clip).clamp(min=1.0))
        return (norms,)

    @torch.no_grad()
    def _evaluate(self) -> dict[str, torch.Tensor]:
        data, lanes, unit = self._data, len(self._by_row), self._fit.forward.row_unit
        # As many rows at a time whatever the number of lanes: the sizes of a product can change its last bits.
        size = max(1, CHUNK_BYTES // (self._val[0].numel() * self._val.element_size()) // unit) * unit
        outputs = [
            self._fit.forward(
                piece.expand(lanes, *piece.shape), Pass(self._slabs.leaves, self._slabs.buffers, [], len(piece), training=False)
            )
            for piece in torch.split(self._val, size)
        ]
        auroc = self._by_row[0].config.search.metric is Metric.VAL_AUROC
        together = torch.cat(outputs, 1)[:, : len(data.val)].float()
        found = scores(together, data.val.y, data.task, target_scale=data.target_scale, auroc=auroc)
        told = {f"val_{name}": value for name, value in found.items()}
        if self._looking and data.task == "classification":
            told |= monitor.named(monitor.weakest_class(together, data.val.y))
        return told
