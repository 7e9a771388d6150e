"""What of a network can be timed by itself, and what it is known by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from cleave.net.count import MultiplyAdds
from cleave.net.gates import Gates, one_hot
from cleave.net.network import Network, build, count_parameters
from cleave.net.place import Place
from cleave.ops.library import Zero
from cleave.space import Arch, Layout, Region

Image = tuple[int, int, int]
"""(channels, height, width)"""
HEAD = "head"
"""The unit of all that follows the last block."""


class Unit(NamedTuple):
    """A part of a network: what was chosen there, or the name of what is not searched.

    Input and output are [channels, height, width], of the head [classes]. Equal units run alike.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.input))} -> {'x'.join(map(str, self.output))}"


class Latency(Protocol):
    """How long units run, in milliseconds."""

    @property
    def base(self) -> float:
        """What any network takes beside its units."""

    def of(self, unit: Unit) -> float:
        """UserError where it is not known."""


class Found(NamedTuple):
    """A module of a network by its name, with the size of its input [n, channels, height, width]."""

    name: str
    module: nn.Module
    size: torch.Size


class Gated(nn.Module):
    """A network under the same gates each time: a plain module."""

    def __init__(self, network: Network, gates: Gates) -> None:
        super().__init__()
        self.network, self.gates = network, gates

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images, self.gates)
        return logits


def head_of(layout: Layout, classes: int, device: str = "cpu") -> nn.Module:
    """What follows the last block of a layout: a network without blocks."""
    bare = replace(layout, blocks=(), auxiliary=None)
    return Gated(build(bare, Region({}), classes, seed=0, norm=replace(layout.norm, running=True), device=device), {})


def runs(module: nn.Module) -> bool:
    """Whether it computes anything in a network: what hands on its input, or makes zeros that are added, does not."""
    return not isinstance(module, nn.Identity | Zero)


def unit_of(name: str, module: nn.Module, size: torch.Size) -> Unit:
    """What a module on torch's meta device is known by, with its cost, where its input has this size [n, ...]."""
    with MultiplyAdds() as counted:
        output: Tensor = module(torch.zeros(size, device="meta"))
    return Unit(name, tuple(size[1:]), tuple(output.shape[1:]), count_parameters(module), counted.total // size[0])


def label(chosen: Arch) -> str:
    """The name of a unit at which this was chosen."""
    return "+".join(chosen.values()) or "left out"


def fixed_parts(network: Network, arch: Arch, image: Image) -> list[Found]:
    """What is not searched of a network on the meta device: the outermost modules that take one tensor, and the head.

    Modules of places are not among them, nor are modules that hold places. What is built alike and gets inputs of one
    size has the name of the first of its kind.
    """
    seen: dict[str, Found] = {}

    def see(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[object, ...]) -> None:
            if len(inputs) == 1 and isinstance(inputs[0], Tensor):
                seen[name] = Found(name, module, inputs[0].shape)

        return hook

    ends: list[torch.Size] = []
    hooks = [module.register_forward_pre_hook(see(name)) for name, module in apart(network.blocks)]
    last = list(network.blocks.values())[-1]
    hooks.append(last.register_forward_hook(lambda block, inputs, history: ends.append(history[-1].shape)))
    network(torch.zeros(2, *image, device="meta"), one_hot(arch))
    for hook in hooks:
        hook.remove()
    outermost = [found for name, found in seen.items() if not any(name.startswith(f"{other}.") for other in seen)]
    names: dict[tuple[str, torch.Size], str] = {}
    alike = [each._replace(name=names.setdefault((repr(each.module), each.size), each.name)) for each in outermost]
    return [*alike, Found(HEAD, head_of(network.layout, network.classifier.out_features, "meta"), ends[0])]


def apart(blocks: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that neither are in a place nor hold one, by name."""
    inside = {id(each) for place in blocks.modules() if isinstance(place, Place) for each in place.modules()}
    return [
        (name, module)
        for name, module in blocks.named_modules()
        if not any(id(each) in inside for each in module.modules())
    ]
