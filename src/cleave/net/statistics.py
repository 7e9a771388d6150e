"""Running statistics of normalisations, measured anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def measuring(module: nn.Module) -> Iterator[None]:
    """A network's or block's running statistics become the mean over the batches that go through it meanwhile.

    Afterwards it normalises by them (torch's evaluation mode).
    """
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches since the reset
    module.train()
    yield
    module.eval()
