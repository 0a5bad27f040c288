"""One model after another: each lane an ordinary model with its optimizer, trained epoch by epoch in lockstep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

import torch
from torch import nn

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Custom
from sweeper.core import init, monitor, optim, schedule, seeds
from sweeper.core.augment import Augmentation
from sweeper.core.augment.draws import Draws
from sweeper.core.batches import Plan, Resident, Rows, in_order
from sweeper.core.dropout import Noise, dropouts
from sweeper.core.evaluate import hits, outputs_of, scores, task_loss, training_loss
from sweeper.core.flat import Flat, Parameters
from sweeper.core.models.custom import check_outputs
from sweeper.core.precision import Precision
from sweeper.core.rate import Rate, batch_scale
from sweeper.core.schedule import Schedule
from sweeper.trial import Metric, Trial

MOST_SKIPPED = 40
"""Steps of a recording that fp16 may skip, twice what a loss scale of 2**16 needs to come down to 1; then the rest of it is NaN."""


class PlainLane:
    """One trial in training. Its course depends on its config and its seed alone.

    Args:
        trial: what is trained.
        data: on the device.
        steps: horizon of ``rates``.
        rates: another schedule than the config's, for the range test.

    Raises:
        InputError: the config does not fit the data.
    """

    def __init__(self, trial: Trial, data: Resident, rates: Schedule | None = None, steps: int | None = None) -> None:
        config = config_from_tree(trial.config)
        self.trial = trial
        self.config = config
        self.plan = self._mine = Plan.of(config, len(data.train))
        self._data = data
        self._augmentation = Augmentation(config, data)
        self.epoch = 0
        self.model, self._flat = self._made()
        self._dropouts = dropouts(self.model)
        self._watched = [self.model.get_parameter(name) for name in monitor.watched(self.model)]
        self._looking = False
        self._before = torch.empty(0)
        self.optimizer = optim.build(config.optimizer, self._flat)
        self.precision = Precision(config.training.precision, data.device)
        horizon = steps or config.training.epochs * self.plan.steps
        rates = rates or schedule.build(config.schedule, config.training.epochs, self.plan.steps)
        self._rate = Rate(self.optimizer, rates, horizon, self.precision, batch_scale(config))

    @property
    def level(self) -> float:
        """See ``Lane``."""
        return self._rate.level

    @level.setter
    def level(self, value: float) -> None:
        self._rate.level = value

    @property
    def parameters(self) -> int:
        """See ``Lane.parameters``."""
        return self._flat.count

    def state(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.state``."""
        found: Mapping[str, torch.Tensor] = self.model.state_dict()
        return found

    def memory(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.memory``."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        moments = {f"optimizer.{n}.{key}": t for n, one in enumerate(parameters) for key, t in self.optimizer.state[one].items()}
        return {f"model.{name}": tensor for name, tensor in self.state().items()} | moments | self.precision.memory()

    def recall(self, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """See ``Lane.recall``."""
        self.epoch = epoch
        self.model.load_state_dict({name: memory[f"model.{name}"] for name in self.state()})
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for name, tensor in memory.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer":
                n, _, key = rest.partition(".")
                self.optimizer.state[parameters[int(n)]][key] = tensor.to(self._data.device)
        self.precision.recall(memory)
        self._rate.skip(epoch * self.plan.steps)

    def step(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One optimizer step on a batch, or on some batches whose gradients are added up; nothing in it waits for the device.

        Returns:
            The outputs ``[n, outputs]`` and the loss before the step, and the gradient's norm before clipping.
        """
        self._rate.apply()
        self._flat.gradient.zero_()
        if len(rows) <= self._mine.batch_size:
            outputs, loss = self._add_gradient(rows, 1.0)
        else:
            found = [self._add_gradient(batch, len(batch) / len(rows)) for batch in rows.split(self._mine.batch_size)]
            outputs = torch.cat([one for one, _ in found])
            loss = torch.stack([one for _, one in found]).sum()
        self._flat.collect()
        training = self.config.training
        norm = self.precision.clip(self.optimizer, self._flat.gradient, training.clip_norm, training.clip_value, self._flat.norm)
        self.precision.step(self.optimizer)
        return outputs, loss, norm

    def _add_gradient(self, batch: Rows, share: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Adds the gradient of a batch's loss, times its share of the step's rows; its outputs and that loss."""
        with self.precision.autocast():
            outputs = self.model(batch.x)
        if isinstance(self.config.model, Custom):
            check_outputs(outputs, len(batch), self._data.outputs, self.config.model.path)
        loss = training_loss(outputs, batch, self._data.task, self.config.training.label_smoothing)
        if share != 1.0:
            loss = loss * share
        self.precision.backward(loss)
        return outputs.detach(), loss.detach()

    def train_epoch(self) -> dict[str, torch.Tensor]:
        """One pass over the training part.

        Returns:
            Scalars on the device: ``train_loss`` (plain and sample-weighted like ``val_loss``, but in training mode and while the weights
            move; rows blended by mixup or CutMix count by the target of the larger share), ``train_accuracy`` except for regression,
            ``grad_norm`` (mean over the steps, before clipping) and ``lr`` (the last step's).
        """
        self._begin_epoch()
        loss = torch.zeros((), dtype=torch.float64, device=self._data.device)
        right = torch.zeros_like(loss)
        norms: list[torch.Tensor] = []
        with self._drawing():
            for chunk in self._chunks():
                *batches, last = chunk.split(self._mine.step_rows)
                steps = [self.step(batch) for batch in batches]
                if self._looking:
                    self._before = self._flat.values.clone()
                steps.append(self.step(last))
                outputs = torch.cat([outputs for outputs, _, _ in steps])
                norms.append(torch.stack([norm for _, _, norm in steps]))
                loss += task_loss(outputs, chunk.y, self._data.task) * len(chunk)
                if self._data.task != "regression":
                    right += hits(outputs, chunk.y, self._data.task)
        found = {
            "train_loss": loss / self._mine.used,
            "grad_norm": torch.cat(norms).nanmean(),
            "lr": torch.as_tensor(self._rate.lr, dtype=torch.float64),
        }
        if self._data.task != "regression":
            found["train_accuracy"] = right / self._mine.used
        if self.precision.scaled:
            found["skipped_steps"] = self.precision.skipped
        if self._looking:
            found |= monitor.named(self._inside(torch.cat(norms).unsqueeze(0)))
        return found

    def _inside(self, norms: torch.Tensor) -> dict[str, torch.Tensor]:
        """What ``monitor`` makes of the epoch just trained, whose norms are [1, steps]."""
        flat, probe = self._flat, self._data.val.x[: monitor.PROBE_ROWS]
        found = monitor.norms(norms) | monitor.weights(self._before.unsqueeze(0), flat.values.unsqueeze(0))
        gradients = [one.grad.unsqueeze(0) for one in self._watched if one.grad is not None]
        clipped = torch.linalg.vector_norm(flat.gradient.unsqueeze(0), dim=1)
        found |= monitor.gradients(gradients, norms[:, -1], clipped)
        found |= monitor.activations(monitor.activations_of(self.model, probe))
        return {name: value.squeeze(0) for name, value in found.items()}

    def evaluate(self) -> dict[str, torch.Tensor]:
        """Loss and scores on the validation part, as scalars on the device; the dear ``val_auroc`` only where it is searched."""
        with self._drawing():
            outputs = self._outputs()
        found = scores(
            outputs.unsqueeze(0),
            self._data.val.y,
            self._data.task,
            target_scale=self._data.target_scale,
            auroc=self.config.search.metric is Metric.VAL_AUROC,
        )
        told = {f"val_{name}": value for name, value in found.items()}
        if self._looking and self._data.task == "classification":
            told |= monitor.named(monitor.weakest_class(outputs.unsqueeze(0), self._data.val.y))
        return {name: value.squeeze(0) for name, value in told.items()}

    def _made(self) -> tuple[nn.Module, Parameters]:
        """The model on its device with its first weights, and its parameters."""
        model = init.fresh(self.config, self._data, self.trial.seed).to(self._data.device)
        return model, Flat(model)

    def _outputs(self) -> torch.Tensor:
        """The model's outputs for the validation part [n, outputs]."""
        return outputs_of(self.model, self._data.val.x)

    def record(self, steps: int) -> torch.Tensor:
        """The training loss before each of so many steps [steps], on the CPU; after the first that is not finite the rest is NaN.

        A step that fp16 skips is none: its learning rate comes again, and its loss is left out.
        """
        losses = torch.full((steps,), torch.nan)
        done, most = 0, int(self.precision.skipped) + MOST_SKIPPED
        while done < steps and int(self.precision.skipped) <= most:
            self._begin_epoch()
            with self._drawing():
                before = self.precision.skipped.clone()
                taken = [(self.step(rows)[1], self.precision.skipped.clone()) for rows in islice(self._rows_of_steps(), steps - done)]
            counts = torch.stack([before, *(count for _, count in taken)])
            found = torch.stack([loss for loss, _ in taken])[counts.diff() == 0].cpu()
            broken = (~torch.isfinite(found)).nonzero()
            if len(broken):
                found = found[: int(broken[0]) + 1]
            losses[done : done + len(found)] = found
            if len(broken):
                break
            done += len(found)
        return losses

    def rehearse(self) -> Iterator[object]:
        """Takes a step at each ``next``, for a look at the time it takes."""
        self._begin_epoch()
        yield from map(self.step, self._rows_of_steps())

    def _rows_of_steps(self) -> Iterator[Rows]:
        """The rows of the epoch's steps, one by one."""
        for chunk in self._chunks():
            yield from chunk.split(self._mine.step_rows)

    def _chunks(self) -> Iterator[Rows]:
        """The epoch's rows in whole steps, augmented."""
        draws = Draws(self.trial.seed, self.epoch, self._data.device)
        for chunk in in_order(self._data.train, self.plan, self.trial.seed, self.epoch):
            yield chunk if self._augmentation.idle else self._augmentation(chunk, self.plan.batch_size, draws)

    def _drawing(self) -> AbstractContextManager[None]:
        """Within it a custom model draws what belongs to the trial and its epoch; our own families draw from no default generator."""
        if isinstance(self.config.model, Custom):
            return seeds.noise(self.trial.seed, self.epoch, self._data.device)
        return nullcontext()

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._looking = self.config.training.monitor and monitor.due(self.epoch, self.plan.steps)
        self.model.train()
        noise = Noise(self.trial.seed, self.epoch, self._data.device)
        for dropout in self._dropouts:
            dropout.noise = noise


class PlainStack:
    """Lanes by slot.

    Args:
        trials: of one shape; their position is their slot.
        data: on the device.
        rates: another schedule than the configs', for the range test.
        steps: horizon of ``rates``.

    Raises:
        InputError: a config does not fit the data.
    """

    def __init__(self, trials: Sequence[Trial], data: Resident, rates: Schedule | None = None, steps: int | None = None) -> None:
        self._data = data
        self._rates, self._steps = rates, steps
        self._lanes = {slot: self._lane(trial) for slot, trial in enumerate(trials)}

    def lane(self, slot: int) -> PlainLane:
        """See ``Stack.lane``."""
        return self._lanes[slot]

    def put(self, slot: int, trial: Trial) -> PlainLane:
        """See ``Stack.put``."""
        self._lanes[slot] = self._lane(trial)
        return self._lanes[slot]

    def drop(self, slot: int) -> None:
        """See ``Stack.drop``."""
        del self._lanes[slot]

    def record(self, steps: int) -> torch.Tensor:
        """See ``Stack.record``."""
        return torch.stack([lane.record(steps) for lane in self._lanes.values()])

    def validate(self) -> dict[int, dict[str, float]]:
        """See ``Stack.validate``."""
        return self._told({slot: lane.evaluate() for slot, lane in self._lanes.items()})

    def rehearse(self) -> Iterator[object]:
        """See ``Stack.rehearse``."""
        return self._lanes[0].rehearse()

    def _lane(self, trial: Trial) -> PlainLane:
        return PlainLane(trial, self._data, self._rates, self._steps)

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """See ``Stack.run_epoch``."""
        return self._told({slot: lane.train_epoch() | lane.evaluate() for slot, lane in self._lanes.items()})

    def _told(self, found: dict[int, dict[str, torch.Tensor]]) -> dict[int, dict[str, float]]:
        """The same on the host, by one transfer."""
        values = torch.stack([value.to(self._data.device, torch.float64) for one in found.values() for value in one.values()]).tolist()
        numbers = iter(values)
        return {slot: {name: next(numbers) for name in one} for slot, one in found.items()}
