"""Draws of architectures whose candidates have weights of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import torch

from cleave.space.choice import Arch, joined
from cleave.space.knapsack import Numbers

Weights = Mapping[str, Mapping[str, float]]
"""Of each candidate of each choice, above 0."""
Drawer = Callable[[torch.Generator], Arch]


@dataclass(frozen=True)
class Weighted:
    """Parts of architectures, of which an architecture has one, and the cumulated chances of each."""

    archs: Sequence[Arch]
    sums: Numbers

    @staticmethod
    def of(archs: Sequence[Arch], weights: Weights) -> Weighted:
        logs = logs_of(archs, weights)
        chances = np.exp(logs - logs.max())
        return Weighted(archs, np.cumsum(chances / chances.sum()))

    def at(self, place: float) -> Arch:
        """The one at a place from 0 to 1, rounding errors at the end included."""
        return self.archs[min(int(np.searchsorted(self.sums, place, side="right")), len(self.archs) - 1)]


def logs_of(archs: Sequence[Arch], weights: Weights) -> Numbers:
    """The logarithm of the product of weights of each, [archs]."""
    return np.array([sum(log(weights[choice][each]) for choice, each in arch.items()) for arch in archs])


def drawn_until(parts: Sequence[Weighted], valid: Callable[[Arch], bool], generator: torch.Generator) -> Arch:
    """One of each part by its chances, again and again until together they are valid."""
    while True:
        places = torch.rand(len(parts), dtype=torch.float64, generator=generator).tolist()
        arch = joined(part.at(place) for part, place in zip(parts, places, strict=True))
        if valid(arch):
            return arch
