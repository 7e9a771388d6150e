"""What every space promises, as far as it can be told without a network. `cleave.testing` has the rest."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from cleave.errors import UserError, shown
from cleave.space.choice import Arch
from cleave.space.region import Region
from cleave.space.sample import enumerate_valid
from cleave.space.space import Space

DRAWS = 20
"""Architectures, and parts of a space, by which a law is checked."""
SMALL = 500
"""Architectures of a region that is listed whole."""


class LawBroken(UserError):
    """A space is not what it says; the words tell which law it breaks, and where."""


def require(holds: bool, space: Space, law: str, where: str = "") -> None:
    """LawBroken, in words, unless it holds."""
    if not holds:
        raise LawBroken(f"space {space.name}: {law}" + (f" ({where})" if where else ""))


def check_data(space: Space) -> None:
    """LawBroken where the space's choices, texts, regions or layout contradict each other."""
    check_choices(space)
    check_layout(space)
    for region in regions(space):
        check_listing(space, region)
        check_region(space, region)


def check_choices(space: Space) -> None:
    names = [choice.name for choice in space.choices]
    require(bool(names), space, "has no choices")
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, space, "names of choices are given once", f"twice: {', '.join(twice)}")


def check_layout(space: Space) -> None:
    """The choices that act in the network are the space's own."""
    layout = space.layout(space.paper_size, 3)
    blocks = [name for name, _ in layout.blocks]
    require(len(set(blocks)) == len(blocks), space, "names of blocks are given once", ", ".join(blocks))
    acting = {choice for _, block in layout.blocks for choice in block.choices}
    own = {choice.name for choice in space.choices}
    require(acting <= own, space, "the layout acts on choices of the space only", f"unknown: {named(acting - own)}")
    require(own <= acting, space, "every choice acts somewhere in the layout", f"nowhere: {named(own - acting)}")


def check_region(space: Space, region: Region) -> None:
    """What is drawn and derived lies in the region, is valid, and is read back from its text."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(DRAWS):
        if space.count(region):
            check_arch(space, space.uniform(region, generator), region, "an architecture that is drawn")
        if space.holds_valid(region):
            arch = space.sample(region, generator)
            require(space.valid(arch), space, "a sample is valid", shown(dict(arch)))
            check_text(space, arch)
        weights = {choice: torch.rand(len(allowed), generator=generator) for choice, allowed in region.allowed.items()}
        derived = space.derive(region, weights)
        check_arch(space, derived, region, "the architecture that is derived")
        if space.holds_valid(region):
            require(space.valid(derived), space, "the architecture that is derived is valid", shown(dict(derived)))


def check_arch(space: Space, arch: Arch, region: Region, what: str) -> None:
    require(arch in region, space, f"{what} lies in its region", shown(dict(arch)))


def check_text(space: Space, arch: Arch) -> None:
    text = space.format(arch)
    require(isinstance(text, str), space, "format gives text", shown(text))
    again = space.parse(text)
    law = "parse is the inverse of format"
    require(dict(again) == dict(arch), space, law, f"{shown(text)} is read as {shown(dict(again))}")


def check_listing(space: Space, region: Region) -> None:
    """`every`, `count` and `holds_valid` agree."""
    count = space.count(region)
    if count > SMALL:
        return
    listed = list(space.every(region))
    require(len(listed) == count, space, "count is how many `every` lists", f"{count} and {len(listed)}")
    for arch in listed:
        check_arch(space, arch, region, "an architecture that is listed")
    valid = enumerate_valid(space, region)
    require(not space.all_valid or len(valid) == count, space, "what it says of all architectures holds (all_valid)")
    require(
        bool(valid) == space.holds_valid(region), space, "holds_valid says whether a region holds a valid architecture"
    )


def regions(space: Space) -> Iterator[Region]:
    """Random parts of the space, the smallest first, and the whole: a part that is listed whole cannot keep us."""
    generator = torch.Generator().manual_seed(0)
    for most in (1, 2, 3):
        for _ in range(3):
            yield part(space, most, generator)
    yield space.region


def part(space: Space, most: int, generator: torch.Generator) -> Region:
    """A random part with at most so many candidates of each choice."""
    allowed = {}
    for choice in space.choices:
        kept = torch.randperm(len(choice.candidates), generator=generator)[:most].sort().values.tolist()
        allowed[choice.name] = tuple(choice.candidates[i] for i in kept)
    return Region(allowed)


def named(choices: set[str]) -> str:
    return ", ".join(sorted(choices))
