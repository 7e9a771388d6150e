"""Samples of several architectures."""

from __future__ import annotations

import torch

from cleave.space.choice import Arch
from cleave.space.region import Region
from cleave.space.space import Space

ENUMERABLE = 50_000
"""Regions up to this size are listed, so that a sample ends even where few architectures are valid."""


def enumerate_valid(space: Space, region: Region) -> list[Arch]:
    """Every valid architecture of the region, in the space's own order."""
    return [arch for arch in space.every(region) if space.valid(arch)]


def distinct(space: Space, region: Region, count: int, generator: torch.Generator) -> list[Arch]:
    """Up to `count` different valid architectures, uniformly without replacement.

    Fewer where there are fewer; in a region too large to list, where a hundred draws for each found no more.
    """
    if space.count(region) <= ENUMERABLE:
        archs = enumerate_valid(space, region)
        return [archs[i] for i in torch.randperm(len(archs), generator=generator)[:count].tolist()]
    found: dict[str, Arch] = {}
    for _ in range(100 * count):
        arch = space.sample(region, generator)
        found.setdefault(space.format(arch), arch)
        if len(found) == count:
            break
    return list(found.values())
