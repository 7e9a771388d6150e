"""Samples of several architectures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import torch

from cleave.space.choice import Arch
from cleave.space.region import Region
from cleave.space.space import Space

ENUMERABLE = 50_000
"""Regions up to this size are listed, so that a sample ends even where few architectures are valid."""
REDRAWS = 100
"""How often a block of paths is drawn again for one of them that is not valid."""


def enumerate_valid(space: Space, region: Region) -> list[Arch]:
    """Every valid architecture of the region, in the order of its candidates."""
    archs = (dict(zip(region.allowed, names, strict=True)) for names in product(*region.allowed.values()))
    return [arch for arch in archs if space.valid(arch)]


def distinct(space: Space, region: Region, count: int, generator: torch.Generator) -> list[Arch]:
    """Up to `count` different valid architectures, uniformly without replacement.

    Fewer where there are fewer; in a region too large to list, where a hundred draws for each found no more.
    """
    if region.size <= ENUMERABLE:
        archs = enumerate_valid(space, region)
        return [archs[i] for i in torch.randperm(len(archs), generator=generator)[:count].tolist()]
    found: dict[str, Arch] = {}
    for _ in range(100 * count):
        arch = space.sample(region, generator)
        found.setdefault(space.format(arch), arch)
        if len(found) == count:
            break
    return list(found.values())


def stratified(space: Space, region: Region, number: int, generator_of_block: Callable[[int], torch.Generator]) -> Arch:
    """Valid architecture `number` of an endless series, in which candidates take turns.

    In every block of as many architectures as the largest choice has candidates, a choice's candidates are each
    active equally often (to one, where their number does not divide the block). `generator_of_block(block)` is a fresh
    generator. A block with an invalid architecture is drawn again; where REDRAWS blocks had one, the last block's
    architectures are drawn independently.
    """
    size = max(len(allowed) for allowed in region.allowed.values())
    block, place = divmod(number, size)
    generator = generator_of_block(block)
    for _ in range(REDRAWS):
        archs = _turns(region, size, generator)
        if all(map(space.valid, archs)):
            return archs[place]
    return [space.sample(region, generator) for _ in range(size)][place]


def _turns(region: Region, size: int, generator: torch.Generator) -> list[Arch]:
    """`size` architectures in which each choice walks through its candidates in an order of its own."""
    columns = {choice: _walk(allowed, size, generator) for choice, allowed in region.allowed.items()}
    return [{choice: names[place] for choice, names in columns.items()} for place in range(size)]


def _walk(candidates: Sequence[str], size: int, generator: torch.Generator) -> list[str]:
    """`size` candidates in random order, each as often as the others; who comes once more is random too."""
    order = torch.randperm(len(candidates), generator=generator).tolist()
    repeated = [candidates[order[place % len(order)]] for place in range(size)]
    return [repeated[i] for i in torch.randperm(size, generator=generator).tolist()]
