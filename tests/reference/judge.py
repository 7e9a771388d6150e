"""Children judged one by one, each by a network of its own: the slow and obvious way."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from cleave.data.stream import Batch
from cleave.net import one_hot
from cleave.study.record.supernet import Supernet


def plain_hits(supernet: Supernet, kind: str, batches: Sequence[Batch], calibration: Sequence[Batch]) -> list[int]:
    """How many images each child gets right, by statistics of that kind (see `cleave.train`)."""
    found = []
    for arch, shared in zip(supernet.children, supernet.networks, strict=True):
        network, gates = deepcopy(shared), one_hot(arch)
        network.eval()
        if kind == "recalibrated":
            recalibrate(network)
            with torch.no_grad():
                for images, _ in calibration:
                    network(images, gates)
            network.eval()
        if kind == "batch":
            network.train()
        with torch.no_grad():
            found.append(sum(int((network(x, gates).argmax(dim=1) == y).sum()) for x, y in batches))
    return found


def recalibrate(network: nn.Module) -> None:
    """From now on the running statistics are the plain mean over what goes through."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()


def of_batches(batches: Sequence[Tensor], shares: Sequence[float] | None) -> tuple[Tensor, Tensor]:
    """Mean and variance by channel: of the batches' own means and unbiased variances the mean by images, or a moving
    average that begins with 0 and 1; of more batches than shares the last share holds."""
    means = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in batches])
    variances = torch.stack([batch.var(dim=(0, 2, 3)) for batch in batches])
    if shares is None:
        weights = torch.tensor([len(batch) for batch in batches], dtype=means.dtype)[:, None]
        return (weights * means).sum(dim=0) / weights.sum(), (weights * variances).sum(dim=0) / weights.sum()
    mean, variance = torch.zeros_like(means[0]), torch.ones_like(variances[0])
    for number, (one, other) in enumerate(zip(means, variances, strict=True)):
        share = shares[min(number, len(shares) - 1)]
        mean, variance = (1 - share) * mean + share * one, (1 - share) * variance + share * other
    return mean, variance
