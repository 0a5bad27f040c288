"""FSDP2: every process holds a part of each parameter, of its gradient and of the optimizer's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from sweeper.core import init, monitor
from sweeper.core.flat import Parameters
from sweeper.core.parallel.lane import TeamLane
from sweeper.core.parallel.norm import synchronise
from sweeper.core.parallel.team import Team
from sweeper.core.precision import choose
from sweeper.errors import InputError


class Shards:
    """This process's parts of a sharded model's parameters; optimizers take them for ordinary parameters.

    Every optimizer but Muon steps element by element, so steps on the parts are a step on the whole. FSDP leaves each part's gradient, the
    mean over the processes, in a tensor of its own; ``gradient`` gathers their sums in a row, so that clearing and clipping are as with
    ``Flat``.

    Args:
        model: after ``fully_shard``.
        team: who has the other parts.

    Attributes:
        sharded: the model's trainable parameters, in the order of the optimizer's.
        gradient: float32 ``[n]``, of this process's parts.
        decayed: matrices and kernels.
        plain: biases and norms.
        hidden: none, for Muon is refused.
        outer: the same as ``decayed``.
    """

    def __init__(self, model: nn.Module, team: Team) -> None:
        self._team = team
        self.sharded = [p for p in model.parameters() if isinstance(p, DTensor) and p.requires_grad]
        self.sharded.sort(key=lambda p: p.ndim <= 1)
        self._parts = [nn.Parameter(p.to_local().detach()) for p in self.sharded]
        sizes = [part.numel() for part in self._parts]
        self.gradient = torch.zeros(sum(sizes), device=team.device)
        for part, gradient in zip(self._parts, torch.split(self.gradient, sizes), strict=True):
            part.grad = gradient.view_as(part)
        self.decayed: nn.Parameter | list[nn.Parameter] = [part for part in self._parts if part.ndim > 1]
        self.plain: nn.Parameter | list[nn.Parameter] = [part for part in self._parts if part.ndim <= 1]
        self.hidden: list[nn.Parameter] = []
        self.outer = [part for part in self._parts if part.ndim > 1]

    @property
    def values(self) -> torch.Tensor:
        """See ``Parameters.values``; a copy."""
        return torch.cat([part.detach().reshape(-1) for part in self._parts])

    @property
    def count(self) -> int:
        """See ``Parameters.count``."""
        return sum(p.numel() for p in self.sharded)

    def collect(self) -> None:
        """See ``Parameters.collect``."""
        for whole, part in zip(self.sharded, self._parts, strict=True):
            if isinstance(whole.grad, DTensor) and part.grad is not None:
                part.grad.copy_(whole.grad.to_local())
                whole.grad = None
        self.gradient.mul_(self._team.size)

    def means(self, wanted: Sequence[nn.Parameter]) -> Sequence[torch.Tensor]:
        """The mean absolute gradient of each of some of the sharded parameters."""
        if not wanted:
            return []
        parts = {id(whole): part for whole, part in zip(self.sharded, self._parts, strict=True)}
        sums = torch.stack([torch.linalg.vector_norm(parts[id(whole)].grad, ord=1) for whole in wanted])
        return [total / whole.numel() for total, whole in zip(self._team.add(sums), wanted, strict=True)]

    def norm(self, vector: torch.Tensor) -> torch.Tensor:
        """See ``Parameters.norm``."""
        return self._team.add(vector.square().sum()).sqrt()


class ShardedLane(TeamLane):
    """A ``TeamLane`` whose model is sharded. Whoever asks for its state gets that of a single model, on the CPU.

    Parameters are gathered in fp32 whatever the precision, and autocast does the rest as for one process: FSDP's own policy would leave
    no fp32 weights for evaluation.

    Raises:
        InputError: fp16, whose loss scaler would have to be shared.
    """

    def state(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.state``; all processes must ask."""
        return {name: _whole(tensor) for name, tensor in self.model.state_dict().items()}

    def memory(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.memory``; all processes must ask."""
        found = {f"model.{name}": tensor for name, tensor in self.state().items()}
        for n, (part, like) in enumerate(self._both()):
            for key, tensor in self.optimizer.state[part].items():
                found[f"optimizer.{n}.{key}"] = _whole(_as(tensor, like) if tensor.shape == part.shape else tensor)
        return found

    @torch.no_grad()
    def recall(self, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """See ``Lane.recall``; all processes must be given the same."""
        self.epoch = epoch
        for name, tensor in self.model.state_dict().items():
            _local(tensor).copy_(_part(memory[f"model.{name}"].to(tensor.device), tensor))
        both = list(self._both())
        for name, tensor in memory.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer":
                n, _, key = rest.partition(".")
                part, like = both[int(n)]
                here = tensor.to(like.device)
                self.optimizer.state[part][key] = _part(here, like).clone() if here.shape == like.shape else here
        self._rate.skip(epoch * self.plan.steps)

    def _made(self) -> tuple[nn.Module, Parameters]:
        if choose(self.config.training.precision, self._data.device)[0] == "fp16":
            raise InputError.of("config", "training.precision", "fp16 with resources.sharding: fsdp", "fp32, bf16", "write precision: bf16")
        model = init.fresh(self.config, self._data, self.trial.seed)  # on the CPU: no device ever holds all of it
        synchronise(model, self._team)
        mesh = init_device_mesh(self._data.device.type, (self._team.size,))
        for unit in (*units(model), model):
            fully_shard(unit, mesh=mesh, reshard_after_forward=True)
        self._shards = Shards(model, self._team)
        return model, self._shards

    def _inside(self, norms: torch.Tensor) -> dict[str, torch.Tensor]:
        """As of one process: norms and means over the parts of all."""
        found = super()._inside(norms)
        shards, names = self._shards, monitor.watched(self.model)
        after = shards.values
        norm = shards.norm(after)
        means = [mean.view(1, 1) for mean in shards.means([self.model.get_parameter(name) for name in names])]
        gradients = monitor.gradients(means, norms[:, -1], shards.norm(shards.gradient).view(1))
        found |= {name: value.squeeze(0) for name, value in gradients.items()}
        return found | {"weight_norm": norm, "update_ratio": shards.norm(after - self._before) / norm}

    def _both(self) -> Iterator[tuple[nn.Parameter, DTensor]]:
        """This process's parts and the whole parameters, in the optimizer's order."""
        parts = [part for group in self.optimizer.param_groups for part in group["params"]]
        return zip(parts, self._shards.sharded, strict=True)


def units(model: nn.Module) -> Iterator[nn.Module]:
    """What is gathered and freed one at a time: the members of the model's lists and sequences that hold matrices; the outermost ones."""
    for child in model.children():
        if isinstance(child, nn.ModuleList | nn.Sequential):
            yield from (member for member in child if any(p.ndim > 1 for p in member.parameters()))
        else:
            yield from units(child)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().cpu()


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _as(part: torch.Tensor, like: DTensor) -> DTensor:
    """Sharded as another tensor is, of which this is the same part."""
    return DTensor.from_local(part, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride())


def _part(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Of a tensor that all processes have, this one's part."""
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None).to_local()
