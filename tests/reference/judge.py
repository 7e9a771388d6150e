"""Children judged one by one, each by a network of its own: the slow and obvious way."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import nn

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
