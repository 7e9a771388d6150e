"""The statistics by which normalisations go when children are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cleave.net.copies import sharing

ModuleType = TypeVar("ModuleType", bound=nn.Module)


@dataclass(frozen=True)
class Statistics:
    """One kind of them.

    running: normalisations go by running statistics; else by each batch that is judged. tracked: by those that the
    network has. calibrated: by those that each child has on calibration batches (Guo et al., "Single path one-shot",
    2020; Yu et al., "BigNAS", 2020): the mean over the batches, of which each counts by its images, or, with `shares`,
    a moving average in which a new batch has its share, those after the last one the last. Of variances it is the mean
    of the batches' own, unbiased ones, as torch has it: how far their means lie apart is not in it.
    """

    running: bool
    tracked: bool = False
    calibrated: bool = False
    shares: tuple[float, ...] | None = None

    def of(self, network: ModuleType) -> ModuleType:
        """A copy of a network that goes by them, in evaluation mode: it has the network's own parameters, and buffers
        but for those of normalisations, so that it stays right while the network is trained."""
        replaced = () if self.tracked else {id(each) for norm in normalisations(network) for each in norm.buffers()}
        kept = (*network.parameters(), *(each for each in network.buffers() if id(each) not in replaced))
        twin = sharing(network, kept)
        if not self.tracked:
            for norm in normalisations(twin):
                begin(norm, self.running, next(network.parameters()))
        return twin.eval()

    @contextmanager
    def measuring(self, module: nn.Module, norms: Sequence[_BatchNorm]) -> Iterator[Callable[[int], None]]:
        """Running statistics of a network or block become those of the batches that go through it meanwhile.

        `norms`: its normalisations that run. Before each batch what this gives is called with the number of its images.
        """
        sizes = list[int]()

        def count(images: int) -> None:
            sizes.append(images)
            for norm in norms:
                norm.momentum = self.share(sizes)

        for norm in norms:
            norm.reset_running_stats()
        module.train()
        try:
            yield count
        finally:
            module.eval()

    def share(self, sizes: Sequence[int]) -> float:
        """Of the last of some batches, in what is measured on them; `sizes` are their images."""
        if self.shares is None:
            return sizes[-1] / sum(sizes)
        return self.shares[min(len(sizes), len(self.shares)) - 1]


TRACKED = Statistics(running=True, tracked=True)
BATCH = Statistics(running=False)
RECALIBRATED = Statistics(running=True, calibrated=True)
INITIAL = Statistics(running=True)
"""Running ones as they are before the first batch: nothing is judged well by them, but every operation runs."""


class Following:
    """Running statistics of a network that begins to be trained: at first the plain mean of the batches that were seen.

    A moving average alone remembers the values that they had before the first batch: after 40 batches a variance of 1
    is still .015 in it, which is more than the variances of many layers, and the network is judged by chance. Once it
    remembers fewer batches than were seen it goes on as usual, and after a few hundred both are the same.
    """

    def __init__(self, network: nn.Module) -> None:
        known = {norm: norm.momentum for norm in normalisations(network)}
        self.momentum = {norm: momentum for norm, momentum in known.items() if momentum is not None}
        self.first = max((ceil(1 / momentum) for momentum in self.momentum.values() if momentum), default=0)

    def take(self, seen: int) -> None:
        """The next batch is taken in, after so many others."""
        if seen <= self.first:
            for norm, momentum in self.momentum.items():
                norm.momentum = max(momentum, 1 / (seen + 1)) if momentum else momentum


def normalisations(module: nn.Module) -> list[_BatchNorm]:
    return [each for each in module.modules() if isinstance(each, _BatchNorm)]


def measured(norms: Sequence[_BatchNorm]) -> list[torch.Tensor]:
    """Their running statistics as they are now."""
    return [each.clone() for norm in norms for each in norm.buffers()]


def put_back(norms: Sequence[_BatchNorm], statistics: Sequence[torch.Tensor]) -> None:
    """Those that were `measured` before."""
    for buffer, value in zip((each for norm in norms for each in norm.buffers()), statistics, strict=True):
        buffer.copy_(value)


def begin(norm: _BatchNorm, running: bool, like: torch.Tensor) -> None:
    """Gives a normalisation running statistics of its own as they begin, or none."""
    norm.track_running_stats = running
    ones = torch.ones(norm.num_features, device=like.device, dtype=like.dtype)
    norm.running_mean, norm.running_var = (torch.zeros_like(ones), ones) if running else (None, None)
    norm.num_batches_tracked = torch.zeros((), dtype=torch.int64, device=like.device) if running else None
