"""Batch norm over the whole batch, though each process sees a share of it."""

from __future__ import annotations

import torch
from torch import nn

from sweeper.core.parallel.team import Team

BatchNorm = nn.modules.batchnorm._BatchNorm


class TeamBatchNorm(BatchNorm):
    """In training its statistics are those of all processes' rows together, and so are their gradients; in evaluation it is torch's own.

    torch's ``SyncBatchNorm`` does the same, on GPUs only. Mean and variance of the shares are put together by the formula of
    Chan et al. (1979), which loses no digits.

    Args:
        norm: a fresh batch norm, whose parameters and statistics this one takes over.
        team: who has the other rows.
    """

    def __init__(self, norm: BatchNorm, team: Team) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var, self.num_batches_tracked = norm.running_mean, norm.running_var, norm.num_batches_tracked
        self._team = team

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002 - torch's signature
        """Any that the layer in whose place this stands took."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``[n, channels, ...]`` to the same shape."""
        if not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.ndim)]
        numbers = x.float()
        count = numbers.new_full((1,), numbers.numel() // numbers.shape[1])
        variance, mean = torch.var_mean(numbers, axes, correction=0)
        every = self._team.spread(torch.cat([mean, variance, count]))
        counts, means, variances = every[:, -1:].detach(), every[:, : len(mean)], every[:, len(mean) : -1]
        total = counts.sum()
        share = counts / total
        mean = (means * share).sum(0)
        variance = ((variances + (means - mean).square()) * share).sum(0)
        self._remember(mean.detach(), variance.detach() * total / (total - 1))
        shape = (1, -1, *[1] * (x.ndim - 2))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight.float()
        out = (numbers - mean.view(shape)) * scale.view(shape)
        if self.affine:
            out = out + self.bias.float().view(shape)
        return out.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Moves the running statistics towards those of a batch, as torch's layer does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)


def synchronise(model: nn.Module, team: Team) -> None:
    """Puts a ``TeamBatchNorm`` in the place of every batch norm; names of parameters and statistics stay."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, BatchNorm) and not isinstance(child, TeamBatchNorm):
                module.register_module(name, TeamBatchNorm(child, team))
