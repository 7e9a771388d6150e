"""Batch normalisation by the images of all processes that train a network together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

from cleave.errors import UserError


class Summed(Function):
    """The sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """`BatchNorm2d` by the batch of all processes, whose parts have one size. torch has such a layer for GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        mean = summed(x) / count
        centred = x - mean[:, None, None]
        variance = summed(centred.square()) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scaled = centred * (variance + self.eps).rsqrt()[:, None, None]
        return scaled if self.weight is None else scaled * self.weight[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """The running statistics take a batch in."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def summed(x: Tensor) -> Tensor:
    """Of each channel, over all images and pixels everywhere."""
    total: Tensor = Summed.apply(x.sum(dim=(0, 2, 3)))
    return total


def synchronise(network: nn.Module) -> None:
    """Has the normalisations of a network go by the batch of all processes: torch's layer on GPUs, ours on CPUs."""
    known = [(name, module) for name, module in network.named_modules() if isinstance(module, _BatchNorm)]
    norms = [(name, module) for name, module in known if type(module) is nn.BatchNorm2d]
    if len(norms) < len(known):
        raise UserError("this network has normalisations of its own kind, so one process has to train it: no torchrun")
    for name, norm in norms:
        if next(network.parameters()).is_cuda:
            network.set_submodule(name, nn.SyncBatchNorm.convert_sync_batchnorm(norm))  # type: ignore[no-untyped-call]
        else:
            norm.__class__ = SharedBatchNorm
