"""K trials as one program: one forward, one backward and one pass over memory for all lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Config
from sweeper.core import init, models, schedule, seeds
from sweeper.core.batches import Plan, Resident, order_of
from sweeper.core.dropout import Noise
from sweeper.core.evaluate import CHUNK_BYTES as EVALUATION_BYTES
from sweeper.core.evaluate import lane_losses, scores
from sweeper.core.schedule import Schedule
from sweeper.core.stack import kernels
from sweeper.core.stack.forward import Fit, fit
from sweeper.core.stack.sequence import Pass
from sweeper.core.stack.slabs import Slabs
from sweeper.trial import Metric, Trial

CHUNK_BYTES = 2 * 2**20
"""How much of one lane's rows and noise is gathered at a time. No budget for all lanes: the epoch's loss is summed up chunk by chunk,
and its bits would depend on their number."""


@dataclass(eq=False)
class FusedLane:
    """One trial in a fused stack.

    Attributes:
        trial: what is trained.
        config: its own.
        slabs: the stack's.
        optimizer: the stack's.
        row: where in both.
        schedule: multiplier of the peak learning rate by step.
        steps_per_epoch: optimizer steps.
        epoch: 1-based, of the last epoch begun; 0 before.
        taken: optimizer steps.
    """

    trial: Trial
    config: Config
    slabs: Slabs
    optimizer: kernels.LaneOptimizer
    row: int
    schedule: Schedule
    steps_per_epoch: int
    epoch: int = 0
    taken: int = 0

    def state(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.state``."""
        return self.slabs.state(self.row)

    def memory(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.memory``."""
        moments = {f"moment.{n}": moment[self.row] for n, moment in enumerate(self.optimizer.moments)}
        return {f"model.{name}": tensor for name, tensor in self.state().items()} | moments

    def recall(self, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """See ``Lane.recall``."""
        self.slabs.load(self.row, {name: memory[f"model.{name}"] for name in self.state()})
        for n, moment in enumerate(self.optimizer.moments):
            moment[self.row] = memory[f"moment.{n}"]
        self.taken = epoch * self.steps_per_epoch
        self.optimizer.steps[self.row] = self.taken
        self.epoch = epoch

    def rate(self) -> float:
        """The learning rate of the step that comes."""
        return self.config.optimizer.lr * self.schedule(self.taken)

    def dropout(self) -> float:
        """Its probability; 0 for a model without."""
        return float(getattr(self.config.model, "dropout", 0.0))


@dataclass(frozen=True)
class _Chunk:
    """Some steps' rows of every lane: inputs [K, steps, padded rows, ...], targets [K, steps, rows], and the masks step by step."""

    x: torch.Tensor
    y: torch.Tensor
    masks: Iterator[list[torch.Tensor]]


class FusedStack:
    """Lanes by slot in one set of slabs. A row that no lane uses any more is cut out before the next epoch.

    Args:
        trials: of one shape; their position is their slot.
        data: on the device.
        rates: another schedule than the configs', for the range test.
        steps: horizon of ``rates``.

    Raises:
        InputError: a config does not fit the data.
        NotImplementedError: the model cannot be stacked (``fit`` says why).
    """

    def __init__(self, trials: Sequence[Trial], data: Resident, rates: Schedule | None = None, steps: int | None = None) -> None:
        self._data = data
        self._rates, self._horizon = rates, steps
        config = config_from_tree(trials[0].config)
        self._plan = Plan.of(config, len(data.train))
        model = models.build(config.model, data.input_shape, data.outputs)
        self._fit: Fit = fit(model, config, data)
        self._template = model
        self._make(len(trials), config)
        self._lanes: dict[int, FusedLane] = {}
        for slot, trial in enumerate(trials):
            self._enter(slot, slot, trial)
        unit = self._fit.forward.row_unit
        val = data.val.x.flatten(1) if self._fit.forward.flat else data.val.x
        self._val = _padded(val, -(-len(val) // unit) * unit)

    def lane(self, slot: int) -> FusedLane:
        """See ``Stack.lane``."""
        return self._lanes[slot]

    def put(self, slot: int, trial: Trial) -> FusedLane:
        """See ``Stack.put``."""
        if slot in self._lanes:
            return self._enter(slot, self._lanes[slot].row, trial)
        self._resize(len(self._lanes) + 1)
        return self._enter(slot, len(self._lanes), trial)

    def drop(self, slot: int) -> None:
        """See ``Stack.drop``."""
        del self._lanes[slot]

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """See ``Stack.run_epoch``."""
        if len(self._lanes) < len(self._slabs):
            self._resize(len(self._lanes))
        found = {**self._train_epoch(), **self._evaluate()}
        table = torch.stack([value.to(torch.float64) for value in found.values()]).tolist()
        return {
            slot: {name: table[row][lane.row] for row, name in enumerate(found)} | {"lr": self._last_rates[lane.row]}
            for slot, lane in self._lanes.items()
        }

    def record(self, steps: int) -> torch.Tensor:
        """See ``Stack.record``."""
        losses = torch.stack([loss for _, loss, _ in islice(self._endless(), steps)], 1).cpu()
        broken = ~torch.isfinite(losses)
        return losses.masked_fill(broken.cumsum(1) > broken.long(), torch.nan)

    def rehearse(self) -> Iterator[object]:
        """See ``Stack.rehearse``."""
        return self._endless()

    def _endless(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """A step at each ``next``, epoch after epoch."""
        while True:
            for chunk in self._epoch():
                yield from self._steps(chunk)

    def _steps(self, chunk: _Chunk) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        yield from map(self._step, chunk.x.unbind(1), chunk.y.unbind(1), chunk.masks)

    def _make(self, lanes: int, config: Config) -> None:
        self._slabs = Slabs(self._template, lanes, self._data.device)
        self._optimizer = kernels.build(config.optimizer, self._slabs)

    def _enter(self, slot: int, row: int, trial: Trial) -> FusedLane:
        config = config_from_tree(trial.config)
        model = models.build(config.model, self._data.input_shape, self._data.outputs)
        init.initialise(model, config.model.activation, seeds.generator(trial.seed, seeds.Stream.INIT))
        self._slabs.load(row, model.state_dict())
        for moment in self._optimizer.moments:
            moment[row].zero_()
        self._optimizer.steps[row] = 0
        horizon = self._horizon or config.training.epochs * self._plan.steps
        rates = self._rates or schedule.build(config.schedule, horizon)
        self._lanes[slot] = lane = FusedLane(trial, config, self._slabs, self._optimizer, row, rates, self._plan.steps)
        self._refresh()
        return lane

    def _resize(self, lanes: int) -> None:
        """New slabs of so many rows; the lanes there are keep their bits and take the first rows."""
        before, optimizer = self._slabs, self._optimizer
        kept = [lane.row for lane in self._lanes.values()]
        self._make(lanes, next(iter(self._lanes.values())).config)
        pairs = [(before.values.detach(), self._slabs.values.detach()), (optimizer.steps, self._optimizer.steps)]
        pairs += zip(optimizer.moments, self._optimizer.moments, strict=True)
        pairs += [(before.buffers[name], buffer) for name, buffer in self._slabs.buffers.items()]
        for old, new in pairs:
            new[: len(kept)] = old[kept]
        for row, lane in enumerate(self._lanes.values()):
            lane.row, lane.slabs, lane.optimizer = row, self._slabs, self._optimizer
        self._refresh()

    def _refresh(self) -> None:
        """Brings what differs from lane to lane into the order of the rows."""
        self._by_row = sorted(self._lanes.values(), key=lambda lane: lane.row)
        trainings = [lane.config.training for lane in self._by_row]
        device = self._data.device
        self._smoothing = torch.tensor([training.label_smoothing for training in trainings], device=device)
        self._clip = torch.tensor([training.clip_norm or torch.inf for training in trainings], device=device)
        self._optimizers = [lane.config.optimizer for lane in self._by_row]

    def _epoch(self) -> Iterator[_Chunk]:
        """The training part in each lane's own order, in chunks of whole batches and a last, shorter one."""
        plan, data, forward = self._plan, self._data, self._fit.forward
        for lane in self._by_row:
            lane.epoch += 1
        orders = torch.stack([order_of(plan, lane.trial.seed, lane.epoch) for lane in self._by_row]).to(data.device)
        noises = [Noise(lane.trial.seed, lane.epoch, data.device) for lane in self._by_row]
        drops = [lane.dropout() for lane in self._by_row]
        lanes, size = len(orders), plan.batch_size
        row_bytes = data.train.x[0].numel() * data.train.x.element_size()
        most = max(1, CHUNK_BYTES // (size * row_bytes + self._fit.masks.bytes_per_step(size)))
        full = plan.used // size
        cuts = [(begin * size, min(most, full - begin), size) for begin in range(0, full, most)]
        if plan.used % size:
            cuts.append((full * size, 1, plan.used % size))
        for begin, steps, rows in cuts:
            padded = -(-rows // forward.row_unit) * forward.row_unit
            picked = orders[:, begin : begin + steps * rows].reshape(-1)
            x = data.train.x.index_select(0, picked)
            x = x.view(lanes, steps, rows, -1) if forward.flat else x.view(lanes, steps, rows, *data.input_shape)
            y = data.train.y.index_select(0, picked).view(lanes, steps, rows)
            yield _Chunk(_padded(x, padded, 2), y, self._fit.masks.of_steps(noises, drops, steps, rows, padded))

    def _train_epoch(self) -> dict[str, torch.Tensor]:
        plan, task = self._plan, self._data.task
        loss = torch.zeros(len(self._by_row), dtype=torch.float64, device=self._data.device)
        right = torch.zeros_like(loss)
        norms: list[torch.Tensor] = []
        for chunk in self._epoch():
            steps = list(self._steps(chunk))
            norms += [norm for _, _, norm in steps]
            together, y = torch.cat([outputs for outputs, _, _ in steps], 1), chunk.y.flatten(1)
            loss += lane_losses(together, y, task).double() * y.shape[1]
            if task == "classification":
                right += (together.argmax(-1) == y).sum(-1)
        found = {"train_loss": loss / plan.used, "grad_norm": torch.stack(norms, 1).nanmean(1)}
        if task == "classification":
            found["train_accuracy"] = right / plan.used
        return found

    def _step(self, x: torch.Tensor, y: torch.Tensor, masks: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One optimizer step of every lane.

        Returns:
            Outputs [K, n, outputs] and losses [K] before the step, and the gradients' norms [K] before clipping.
        """
        leaves = self._slabs.leaves
        outputs = self._fit.forward(x, Pass(leaves, self._slabs.buffers, masks, y.shape[1], training=True))
        losses = lane_losses(outputs, y, self._data.task, self._smoothing)
        # The sum, not the mean: a lane's gradient is that of its own loss.
        self._slabs.take_gradients(torch.autograd.grad(losses.sum(), list(leaves.values())))
        norms = torch.linalg.vector_norm(self._slabs.gradient, dim=1)
        self._last_rates = [lane.rate() for lane in self._by_row]
        self._optimizer.step(self._optimizers, self._last_rates, ((norms + 1e-6) / self._clip).clamp(min=1.0))
        for lane in self._by_row:
            lane.taken += 1
        return outputs.detach(), losses.detach(), norms

    @torch.no_grad()
    def _evaluate(self) -> dict[str, torch.Tensor]:
        data, lanes = self._data, len(self._by_row)
        row_bytes = self._val[0].numel() * self._val.element_size() * lanes
        unit = self._fit.forward.row_unit
        size = max(1, EVALUATION_BYTES // row_bytes // unit) * unit
        outputs = [
            self._fit.forward(
                piece.expand(lanes, *piece.shape), Pass(self._slabs.leaves, self._slabs.buffers, [], len(piece), training=False)
            )
            for piece in torch.split(self._val, size)
        ]
        auroc = self._by_row[0].config.search.metric is Metric.VAL_AUROC
        together = torch.cat(outputs, 1)[:, : len(data.val)].float()
        found = scores(together, data.val.y, data.task, target_scale=data.target_scale, auroc=auroc)
        return {f"val_{name}": value for name, value in found.items()}


def _padded(x: torch.Tensor, length: int, axis: int = 0) -> torch.Tensor:
    """Zeros after the end of an axis."""
    if x.shape[axis] == length:
        return x
    more = x.new_zeros(*x.shape[:axis], length - x.shape[axis], *x.shape[axis + 1 :])
    return torch.cat([x, more], axis)
