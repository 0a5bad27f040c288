"""One model after another: each lane an ordinary model with its optimizer, trained epoch by epoch in lockstep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import torch

from sweeper.config.files import config_from_tree
from sweeper.core import init, models, optim, schedule, seeds
from sweeper.core.batches import Plan, Resident, Rows, in_order
from sweeper.core.dropout import Noise, dropouts
from sweeper.core.evaluate import outputs_of, scores, task_loss
from sweeper.core.flat import Flat
from sweeper.core.precision import Precision
from sweeper.core.rate import Rate
from sweeper.core.schedule import Schedule
from sweeper.trial import Metric, Trial


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
        self.plan = Plan.of(config, len(data.train))
        self.epoch = 0
        self.model = models.build(config.model, data.input_shape, data.outputs)
        init.initialise(self.model, config.model.activation, seeds.generator(trial.seed, seeds.Stream.INIT))
        self.model.to(data.device)
        self._dropouts = dropouts(self.model)
        self._flat = Flat(self.model)
        self.optimizer = optim.build(config.optimizer, self._flat)
        self.precision = Precision(config.training.precision, data.device)
        horizon = steps or config.training.epochs * self.plan.steps
        self._rate = Rate(self.optimizer, rates or schedule.build(config.schedule, horizon), horizon, self.precision)
        self._data = data

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

    def step(self, batch: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One optimizer step on a batch; nothing in it waits for the device.

        Returns:
            The outputs ``[n, outputs]`` and the loss before the step, and the gradient's norm before clipping.
        """
        self._rate.apply()
        self._flat.gradient.zero_()
        with self.precision.autocast():
            outputs = self.model(batch.x)
        loss = task_loss(outputs, batch.y, self._data.task, self.config.training.label_smoothing)
        self.precision.backward(loss)
        norm = self.precision.clip(self.optimizer, self._flat.gradient, self.config.training.clip_norm)
        self.precision.step(self.optimizer)
        return outputs.detach(), loss.detach(), norm

    def train_epoch(self) -> dict[str, torch.Tensor]:
        """One pass over the training part.

        Returns:
            Scalars on the device: ``train_loss`` (plain and sample-weighted like ``val_loss``, but in training mode and while the weights
            move), ``train_accuracy`` for classification, ``grad_norm`` (mean over the steps, before clipping) and ``lr`` (the last step's).
        """
        self._begin_epoch()
        loss = torch.zeros((), dtype=torch.float64, device=self._data.device)
        right = torch.zeros_like(loss)
        norms: list[torch.Tensor] = []
        with seeds.noise(self.trial.seed, self.epoch, self._data.device):
            for chunk in in_order(self._data.train, self.plan, self.trial.seed, self.epoch):
                steps = [self.step(batch) for batch in chunk.split(self.plan.batch_size)]
                outputs = torch.cat([outputs for outputs, _, _ in steps])
                norms.append(torch.stack([norm for _, _, norm in steps]))
                loss += task_loss(outputs, chunk.y, self._data.task) * len(chunk)
                if self._data.task == "classification":
                    right += (outputs.argmax(1) == chunk.y).sum()
        found = {
            "train_loss": loss / self.plan.used,
            "grad_norm": torch.cat(norms).nanmean(),
            "lr": torch.as_tensor(self._rate.lr, dtype=torch.float64),
        }
        if self._data.task == "classification":
            found["train_accuracy"] = right / self.plan.used
        if self.precision.scaled:
            found["skipped_steps"] = self.precision.skipped
        return found

    def evaluate(self) -> dict[str, torch.Tensor]:
        """Loss and scores on the validation part, as scalars on the device; the dear ``val_auroc`` only where it is searched."""
        outputs = outputs_of(self.model, self._data.val.x)
        found = scores(
            outputs.unsqueeze(0),
            self._data.val.y,
            self._data.task,
            target_scale=self._data.target_scale,
            auroc=self.config.search.metric is Metric.VAL_AUROC,
        )
        return {f"val_{name}": value.squeeze(0) for name, value in found.items()}

    def record(self, steps: int) -> torch.Tensor:
        """The training loss before each of so many steps [steps], on the CPU; after the first that is not finite the rest is NaN."""
        losses = torch.full((steps,), torch.nan)
        done = 0
        while done < steps:
            self._begin_epoch()
            with seeds.noise(self.trial.seed, self.epoch, self._data.device):
                found = torch.stack([self.step(batch)[1] for batch in islice(self._batches(), steps - done)]).cpu()
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
        yield from map(self.step, self._batches())

    def _batches(self) -> Iterator[Rows]:
        """The epoch's batches one by one."""
        for chunk in in_order(self._data.train, self.plan, self.trial.seed, self.epoch):
            yield from chunk.split(self.plan.batch_size)

    def _begin_epoch(self) -> None:
        self.epoch += 1
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

    def rehearse(self) -> Iterator[object]:
        """See ``Stack.rehearse``."""
        return self._lanes[0].rehearse()

    def _lane(self, trial: Trial) -> PlainLane:
        return PlainLane(trial, self._data, self._rates, self._steps)

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """See ``Stack.run_epoch``."""
        found = {slot: lane.train_epoch() | lane.evaluate() for slot, lane in self._lanes.items()}
        values = torch.stack([value.to(self._data.device, torch.float64) for one in found.values() for value in one.values()]).tolist()
        numbers = iter(values)
        return {slot: {name: next(numbers) for name in one} for slot, one in found.items()}
