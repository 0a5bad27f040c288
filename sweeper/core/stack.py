"""K trials of one shape side by side: plain lanes, each a model with its optimizer, trained epoch by epoch in lockstep."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sweeper.config.files import config_from_tree
from sweeper.core import init, models, optim, schedule, seeds
from sweeper.core.batches import Plan, Resident, Rows, in_order
from sweeper.core.evaluate import outputs_of, scores, task_loss
from sweeper.core.flat import Flat
from sweeper.core.precision import Precision
from sweeper.core.rate import Rate
from sweeper.core.schedule import Schedule
from sweeper.trial import Metric, Trial


class Lane:
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
        self._flat = Flat(self.model)
        self.optimizer = optim.build(config.optimizer, self._flat)
        self.precision = Precision(config.training.precision, data.device)
        horizon = steps or config.training.epochs * self.plan.steps
        self._rate = Rate(self.optimizer, rates or schedule.build(config.schedule, horizon), horizon, self.precision)
        self._data = data

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
        self.epoch += 1
        self.model.train()
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
            outputs,
            self._data.val.y,
            self._data.task,
            target_scale=self._data.target_scale,
            auroc=self.config.search.metric is Metric.VAL_AUROC,
        )
        return {f"val_{name}": value for name, value in found.items()}

    def record(self, steps: int) -> torch.Tensor:
        """The training loss before each of so many steps [steps], on the CPU; after the first that is not finite the rest is NaN."""
        losses = torch.full((steps,), torch.nan)
        done = 0
        self.model.train()
        while done < steps:
            self.epoch += 1
            with seeds.noise(self.trial.seed, self.epoch, self._data.device):
                batches = (
                    b
                    for chunk in in_order(self._data.train, self.plan, self.trial.seed, self.epoch)
                    for b in chunk.split(self.plan.batch_size)
                )
                found = torch.stack([self.step(batch)[1] for batch, _ in zip(batches, range(steps - done), strict=False)]).cpu()
            broken = (~torch.isfinite(found)).nonzero()
            if len(broken):
                found = found[: int(broken[0]) + 1]
            losses[done : done + len(found)] = found
            if len(broken):
                break
            done += len(found)
        return losses


class Stack:
    """Lanes by slot; an epoch trains and evaluates every one of them, and brings all numbers to the host in one transfer.

    Args:
        trials: of one shape; their position is their slot.
        data: on the device.
    """

    def __init__(self, trials: Sequence[Trial], data: Resident) -> None:
        self._data = data
        self._lanes = {slot: Lane(trial, data) for slot, trial in enumerate(trials)}

    def lane(self, slot: int) -> Lane:
        """The lane in this slot."""
        return self._lanes[slot]

    def put(self, slot: int, trial: Trial) -> Lane:
        """Puts a fresh trial into a slot, in place of what was there."""
        self._lanes[slot] = Lane(trial, self._data)
        return self._lanes[slot]

    def drop(self, slot: int) -> None:
        """Frees a slot."""
        del self._lanes[slot]

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """Trains and evaluates one epoch of every lane; the metrics by slot."""
        found = {slot: lane.train_epoch() | lane.evaluate() for slot, lane in self._lanes.items()}
        values = torch.stack([value.to(self._data.device, torch.float64) for one in found.values() for value in one.values()]).tolist()
        numbers = iter(values)
        return {slot: {name: next(numbers) for name in one} for slot, one in found.items()}
