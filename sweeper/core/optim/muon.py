"""Muon for the hidden layers' matrices beside AdamW for everything else, as one optimizer."""

from __future__ import annotations

from typing import Any

from torch import optim

from sweeper.config.schema import Muon
from sweeper.core.flat import Parameters
from sweeper.errors import InputError


class MuonBesideAdamW(optim.Optimizer):
    """Two optimizers that step together: one list of groups, one state.

    Args:
        muon: over the hidden layers' matrices; its groups come first.
        adamw: over everything else.
    """

    def __init__(self, muon: optim.Muon, adamw: optim.AdamW) -> None:
        super().__init__([*muon.param_groups, *adamw.param_groups], {})
        self._parts: tuple[optim.Optimizer, ...] = (muon, adamw)
        # The groups are the parts' own; their states become one, so that who saves and restores it sees one optimizer.
        muon.state = adamw.state = self.state

    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """One step of both."""
        for part in self._parts:
            part.step()


def build(config: Muon, flat: Parameters) -> optim.Optimizer:
    """Muon as its author uses it (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/).

    The matrices of hidden layers are Muon's; embeddings, the output layer, biases and norms are AdamW's, and so are convolution kernels,
    which torch's Muon does not take. Three groups: matrices; what else is decayed; biases and norms.

    Raises:
        InputError: the model has no hidden layer's matrix.
    """
    if not flat.hidden:
        raise InputError.of(
            "config",
            "optimizer.name",
            "muon with a model that has no hidden layer's matrix",
            "adamw, adam, rmsprop, lion, sgd",
            "write name: adamw, which is all that muon would be here",
        )
    muon = optim.Muon(
        flat.hidden,
        lr=config.lr,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
        nesterov=config.nesterov,
        ns_steps=config.ns_steps,
        adjust_lr_fn=config.adjust_lr,
    )
    rest: list[dict[str, Any]] = [{"params": flat.outer, "weight_decay": config.weight_decay}, {"params": flat.plain, "weight_decay": 0.0}]
    adamw = optim.AdamW(
        rest,
        lr=config.adamw_lr,
        betas=(config.adamw_beta1, config.adamw_beta2),
        eps=config.adamw_eps,
        fused=True,
    )
    return MuonBesideAdamW(muon, adamw)
