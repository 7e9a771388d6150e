"""Subnets judged one by one: by a copy of the supernet for each, whose statistics are measured first."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import nn

from benchmarks.naive import Batch
from cleave.net import Gates, Network

IMAGES, BATCH = 2000, 100
"""Training images for the statistics of each subnet, and how many of them at once (Once-for-All)."""


@torch.no_grad()
def accuracy(network: Network, gates: Gates, calibration: Iterable[Batch], held: Iterable[Batch]) -> float:
    """Percent of the held-out images that are right."""
    own = deepcopy(network)
    for norm in own.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean, norm.running_var = torch.zeros(2, norm.num_features).to(own.classifier.weight)
            norm.num_batches_tracked = torch.zeros((), dtype=torch.int64)
            norm.track_running_stats, norm.momentum = True, None
    own.train()
    for images, _ in calibration:
        own(images, gates)
    own.eval()
    found = [(own(images, gates).argmax(dim=1) == labels) for images, labels in held]
    return 100 * float(torch.cat(found).double().mean())
