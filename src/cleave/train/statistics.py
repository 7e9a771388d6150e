"""The statistics by which normalisations go when children are judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

ModuleType = TypeVar("ModuleType", bound=nn.Module)


@dataclass(frozen=True)
class Statistics:
    """One kind of them.

    running: normalisations go by running statistics; else by each batch that is judged. tracked: by those that the
    network has. calibrated: by those that each child has on calibration batches (Guo et al., "Single path one-shot",
    2020; Yu et al., "BigNAS", 2020), the mean over the batches or, with `forgetting`, a moving average in which a new
    batch has that share.
    """

    running: bool
    tracked: bool = False
    calibrated: bool = False
    forgetting: float | None = None

    def of(self, network: ModuleType) -> ModuleType:
        """A copy of a network that goes by them, in evaluation mode: it has the network's own parameters, and buffers
        but for those of normalisations, so that it stays right while the network is trained."""
        replaced = () if self.tracked else {id(each) for norm in normalisations(network) for each in norm.buffers()}
        kept = (*network.parameters(), *(each for each in network.buffers() if id(each) not in replaced))
        twin = deepcopy(network, {id(tensor): tensor for tensor in kept})
        if not self.tracked:
            for norm in normalisations(twin):
                begin(norm, self.running, next(network.parameters()))
        return twin.eval()

    @contextmanager
    def measuring(self, module: nn.Module) -> Iterator[None]:
        """The running statistics of a network or block become those of the batches that go through it meanwhile."""
        for norm in normalisations(module):
            norm.reset_running_stats()
            norm.momentum = self.forgetting  # None is torch's word for the plain mean
        module.train()
        yield
        module.eval()


TRACKED = Statistics(running=True, tracked=True)
BATCH = Statistics(running=False)
RECALIBRATED = Statistics(running=True, calibrated=True)
INITIAL = Statistics(running=True)
"""Running ones as they are before the first batch: nothing is judged well by them, but every operation runs."""


def normalisations(module: nn.Module) -> list[_BatchNorm]:
    return [each for each in module.modules() if isinstance(each, _BatchNorm)]


def begin(norm: _BatchNorm, running: bool, like: torch.Tensor) -> None:
    """Gives a normalisation running statistics of its own as they begin, or none."""
    norm.track_running_stats = running
    ones = torch.ones(norm.num_features, device=like.device, dtype=like.dtype)
    norm.running_mean, norm.running_var = (torch.zeros_like(ones), ones) if running else (None, None)
    norm.num_batches_tracked = torch.zeros((), dtype=torch.int64, device=like.device) if running else None
