"""The optimizers: torch's own, fused, with no decay on biases and norms."""

from __future__ import annotations

from torch import nn, optim

from sweeper.config.schema import AdamW, Sgd
from sweeper.errors import InputError


def build(config: AdamW | Sgd, model: nn.Module) -> optim.Optimizer:
    """The optimizer of this config over the model's parameters, in two groups: decayed (matrices, kernels) and not (vectors).

    The fused kernels update all parameters in one call: on one CPU thread a step of a small MLP costs two thirds of the stock loop's,
    on a GPU they are the only ones that can skip a step (fp16) without asking the host.

    Raises:
        InputError: the combination of values is not an optimizer.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    match config:
        case AdamW():
            return optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)
        case Sgd():
            if config.nesterov and config.momentum == 0:
                raise InputError.of(
                    "config",
                    "optimizer.nesterov",
                    "true with momentum 0",
                    "momentum above 0",
                    "set optimizer.nesterov: false, or give a momentum",
                )
            return optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, fused=True)
