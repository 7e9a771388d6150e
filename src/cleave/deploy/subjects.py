"""What is timed of a space: its blocks, each once, and whole networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cleave.net import Network, Norm, build, one_hot, places
from cleave.net.cost import seen, tables_of
from cleave.net.sized import Sized
from cleave.net.units import HEAD, Gated, Unit, fixed_parts, head_of, label, runs, unit_of
from cleave.space import Arch, Layout, Region
from cleave.space.sample import distinct

CALL = "call"
"""The key of a program that does nothing."""
STATISTICS = 8
"""Images by whose statistics normalisations go: with none numbers would vanish along a network, and be slow."""


@dataclass(frozen=True)
class Subject:
    """A module to be timed on random input of this size [n, channels, height, width], and the key of its time."""

    key: str
    module: nn.Module
    size: tuple[int, ...]

    def input(self, device: str) -> Tensor:
        x = torch.randn(self.size, generator=torch.Generator().manual_seed(0))
        return x.to(device).contiguous(memory_format=torch.channels_last)


def key_of(unit: Unit) -> str:
    return json.dumps(unit)


def deployed(layout: Layout, arch: Arch) -> Arch:
    """An architecture without what leads nowhere, which does not run where it is used."""
    live = layout.live(arch)
    return {choice: candidate for choice, candidate in arch.items() if choice in live}


def running(layout: Layout) -> Norm:
    """Normalisation as networks have it that are used: by statistics of their own."""
    return replace(layout.norm, running=True)


def units_of(asked: Sized) -> dict[Unit, nn.Module]:
    """Every different block of a space that computes something, with a module of it."""
    layout, space = replace(asked.layout, auxiliary=None), asked.space
    network = build(layout, space.region, asked.classes, seed=0, norm=running(layout))
    shapes = deepcopy(network).to("meta")
    modules = dict(network.named_modules())
    names = {place: name for name, place in places(shapes).items()}
    first = {choice.name: choice.candidates[0] for choice in space.choices}
    found = dict(fixed_units(shapes, first, asked, modules))
    for table in tables_of(seen(shapes, first, asked.image)[0]):
        for chosen in table.met(space.parts(space.region)):
            for place, size in table.places:
                module = place.alone(chosen)
                if runs(module):
                    own = places(network)[names[place]].alone(chosen)
                    found.setdefault(unit_of(label(chosen), module, size), own)
    return found


def fixed_units(
    shapes: Network, arch: Arch, asked: Sized, modules: Mapping[str, nn.Module]
) -> Iterator[tuple[Unit, nn.Module]]:
    """What is not searched. `modules`: those of the network itself, by name."""
    for part in fixed_parts(shapes, arch, asked.image):
        if runs(part.module):
            own = head_of(asked.layout, asked.classes) if part.name == HEAD else modules[f"blocks.{part.name}"]
            yield unit_of(*part), own


def subjects(asked: Sized, archs: Mapping[str, Arch], batch: int) -> Iterator[Subject]:
    """A program that does nothing, the units, and a network of each architecture, made when it is asked for."""
    yield Subject(CALL, nn.Identity(), (batch, 1, 1, 1))
    for unit, module in units_of(asked).items():
        yield Subject(key_of(unit), module, (batch, *unit.input))
    for text, arch in archs.items():
        yield Subject(text, network_of(asked, arch), (batch, *asked.image))


def network_of(asked: Sized, arch: Arch) -> nn.Module:
    """The network of an architecture as it is used; its normalisations have seen random images."""
    layout = replace(asked.layout, auxiliary=None)
    kept = deployed(layout, arch)
    network = Gated(build(layout, Region.of(kept), asked.classes, seed=0, norm=running(layout)), one_hot(kept))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    images = torch.randn(STATISTICS, *asked.image, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.train()(images)
    return network


def drawn(asked: Sized, count: int) -> dict[str, Arch]:
    """Different random valid architectures, as the space writes them; the same each time."""
    space = asked.space
    archs = distinct(space, space.region, count, torch.Generator().manual_seed(0))
    return {space.format(arch): arch for arch in archs}
