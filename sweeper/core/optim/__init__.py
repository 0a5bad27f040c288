"""The optimizers: torch's own, fused where it has such a kernel, and Lion, which it lacks; no decay on biases and norms."""

from __future__ import annotations

from torch import optim

from sweeper.config.schema import Adam, AdamW, Lion, Muon, Optimizer, RmsProp, Sgd
from sweeper.core.flat import Parameters
from sweeper.core.optim import lean, lion, muon
from sweeper.errors import InputError


def check(config: Optimizer) -> None:
    """Refuses what is not an optimizer.

    Raises:
        InputError: Nesterov's variant without momentum.
    """
    if isinstance(config, Sgd) and config.nesterov and config.momentum == 0:
        raise InputError.of(
            "config",
            "optimizer.nesterov",
            "true with momentum 0",
            "momentum above 0",
            "set optimizer.nesterov: false, or give a momentum",
        )


def build(config: Optimizer, flat: Parameters) -> optim.Optimizer:
    """The optimizer of this config over a model's parameters, in two groups: decayed (matrices, kernels) and not (biases, norms).

    Muon has three, since the hidden layers' matrices are stepped by another rule than the rest. The fused kernels (Adam, AdamW, SGD)
    are the fastest on a CPU, and on a GPU they skip a step (fp16) without asking the host, as Lion does; RMSprop and Muon ask.

    Raises:
        InputError: the combination of values is not an optimizer, or Muon finds no hidden layer's matrix.
    """
    check(config)
    groups = [{"params": flat.decayed, "weight_decay": config.weight_decay}, {"params": flat.plain, "weight_decay": 0.0}]
    match config:
        case AdamW():
            return lean.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)
        case Adam():
            return lean.Adam(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)
        case RmsProp():
            return optim.RMSprop(groups, lr=config.lr, alpha=config.alpha, eps=config.eps, momentum=config.momentum, foreach=False)
        case Lion():
            return lion.Lion(groups, lr=config.lr, betas=(config.beta1, config.beta2))
        case Muon():
            return muon.build(config, flat)
        case Sgd():
            return lean.Sgd(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, fused=True)
