"""``sweeper.lr_range_test``: one question, asked of a config or of a model of your own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from sweeper.errors import InputError
from sweeper.lr_range.ladder import SOURCE

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.optim import Optimizer

    from sweeper.config.schema import Config
    from sweeper.core.precision import Name
    from sweeper.data.dataset import Dataset
    from sweeper.lr_range.handed import HandedResult
    from sweeper.lr_range.probe import Measure
    from sweeper.lr_range.result import LrRangeResult, Scale
    from sweeper.lr_range.rungs import Loss
    from sweeper.trial import Scalar


@overload
def lr_range_test(
    config: Config,
    data: Dataset | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    steps: int | None = None,
    seeds: int = ...,
    scale: Scale | str = ...,
    probe: Measure | str | None = ...,
    probe_steps: int | None = None,
    settings: Mapping[str, Scalar] | None = None,
    device: str = ...,
) -> LrRangeResult: ...


@overload
def lr_range_test(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    loss_fn: Callable[[Any, Any], torch.Tensor] | None = None,
    data: Iterable[Any] | None = None,
    *,
    step_fn: Callable[[nn.Module, Any], Loss] | None = None,
    low: float = ...,
    high: float = ...,
    steps: int = ...,
    repeats: int = ...,
    seed: int = ...,
    probe: Measure | str | None = None,
    validation: Iterable[Any] | None = None,
    probe_steps: int | None = None,
    accumulate: int = ...,
    precision: Name = ...,
    scaler: torch.amp.GradScaler | None = None,
    clip_norm: float | None = None,
    device: torch.device | str | None = None,
    schedulers: Iterable[object] = (),
    also_restore: Iterable[object] = (),
    snapshot_device: torch.device | str | None = None,
) -> HandedResult: ...


def lr_range_test(*args: Any, **kwargs: Any) -> LrRangeResult:  # noqa: D417 - the arguments are those of its two faces
    """Find the useful learning rates by training on a ladder of them, one optimizer step per rung, several times.

    Ask it of a config, ``lr_range_test(config, data=None, ...)``, whose models are made for the test: ``sweeper.lr_range.run`` says what
    else it takes. Or of a model of your own, ``lr_range_test(model, optimizer, loss_fn, data, ...)``, as follows. It is trained from where
    it is now and then put back bit for bit, also after an error or Ctrl-C: parameters and buffers in their own memory, ``requires_grad``,
    gradients, attributes and train or eval flag of every module, the optimizers with state and groups, scaler and schedulers, all
    generators of random numbers (Python's, NumPy's, torch's on every device, those of loader, sampler and dataset). What it cannot put
    back: batches taken from an iterator, what worker processes that persist have drawn, and whatever else your functions change
    outside of these.

    It costs ``repeats * steps`` optimizer steps and memory for one copy of parameters, buffers and optimizer state; a probe 15 times
    ``probe_steps`` more (of the validation loss 21 times), and ``probe_steps * accumulate`` batches in memory.

    The loss that the ladder shows is that of training. Weights that were trained before take less than it suggests, for it does not show
    what they forget: hand in ``validation`` for fine-tuning, and the answer is that of a probe of the validation loss.

    Args:
        model: as you train it, on its device. Its train and eval flags are used as they are, so a frozen batch norm stays
            frozen; only a model that is in eval mode as a whole is set to train.
        optimizer: of any class that steps once per gradient, fresh or used; or several, which step together. The ladder is that of the
            group with the largest learning rate (``initial_lr`` where a scheduler has left one); all others keep their ratio to it.
        loss_fn: ``loss_fn(output, target) -> loss``, for batches that are pairs ``(input, target)``; a mean over the batch.
        data: batches: a DataLoader, a list (taken in a random order), or any iterable; iterated anew whenever it ends.
        step_fn: instead of ``loss_fn``: ``step_fn(model, batch) -> loss`` for batches of any kind, without backward and without a step.
            With several optimizers it may return one loss for each, whose gradients then go to that optimizer's parameters; the curve is
            that of their sum.
        low: the first learning rate; 1e-7.
        high: the last one; 10.
        steps: optimizer steps per repeat; 100. Also the horizon of the answer.
        repeats: how often the ladder is climbed, each time from the same weights, with other batches and random numbers; 5. A single time
            varies about twice as much.
        seed: of the random numbers; 0. The same call gives the same curves, whatever was drawn before it.
        probe: ``train_loss`` or ``val_loss``: afterwards, train with constant rates about the one that the ladder suggests, from a ninth to
            nine times of it, by the validation loss from a 243rd to three times; three times each, from the same weights and on the same
            batches and random numbers. Where they end is compared, and the best is the answer. ``train_loss`` is the mean of the last
            quarter of the steps. None: ``val_loss`` where there is ``validation``, else do not.
        validation: batches like those of ``data``, to compare the loss on: the mean over all of them in eval mode, after the last step, by
            the same loss or step function. They are read again for every rate, so no iterator will do.
        probe_steps: with each constant rate, 25 or more; None: as many as the ladder has. Also the horizon of a probe's answer.
        accumulate: batches per optimizer step; their losses are averaged.
        precision: ``fp32`` (as the model is), or the forward pass under autocast: ``bf16``, or ``fp16``, whose gradients are scaled.
        scaler: yours; None: a new one under ``fp16``. A step that it skips is repeated with the next batch, at most 20 times in a row.
        clip_norm: largest norm of all gradients together.
        device: where batches are moved; None: to the model's first parameter.
        schedulers: of these optimizers; they are not stepped, but put back if ``step_fn`` steps them.
        also_restore: what else ``step_fn`` or a hook changes: an averaged model, a generator, a counter in an object.
        snapshot_device: where the copy is kept; None: on the model's device. ``cpu`` spares a GPU's memory.

    Returns:
        The curves and what they say: ``suggestion``, ``max_lr`` and ``bracket`` for the largest group, ``suggestions`` for all of them,
        ``judgement`` with the status and a sentence. A notebook shows it as a figure; elsewhere ``sweeper.lr_range.figure.png`` and
        ``sweeper.lr_range.page.html`` draw it. A loss that is not finite, or that stays far above its start, ends a repeat; what it did not
        reach is NaN.

    Raises:
        InputError: the arguments do not fit; what is wrong and what to pass instead.
    """
    subject = args[0] if args else kwargs.get("config", kwargs.get("model"))

    from sweeper.config.schema import Config

    if isinstance(subject, Config):
        from sweeper.lr_range import run

        return run.lr_range_test(*args, **kwargs)

    from torch import nn

    if isinstance(subject, nn.Module):
        from sweeper.lr_range import handed

        return handed.lr_range_test(*args, **kwargs)
    raise InputError.of(
        SOURCE,
        "config, model",
        f"a {type(subject).__name__}",
        "a config, or a torch.nn.Module",
        "sweeper.load_config reads a config; several networks go into one nn.ModuleList or nn.ModuleDict",
    )
