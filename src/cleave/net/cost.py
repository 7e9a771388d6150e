"""What an architecture costs when it is built alone: parameters and multiply-adds, without building it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cleave.net.blocks import Edge
from cleave.net.gates import one_hot
from cleave.net.network import Network, build
from cleave.net.ops import Norm
from cleave.space import Arch, NetworkSize, Space

Owner = tuple[str, str] | None
"""What a module is there for: (choice, candidate), or None where every architecture has it."""


@dataclass(frozen=True)
class Cost:
    """Trainable numbers, and multiply-adds of one image in convolutions and linear layers."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Costs:
    """The cost of every architecture of a space: what is common to all, and what each candidate adds.

    Shapes do not depend on the candidates chosen, so costs add up exactly.
    """

    common: Cost
    added: Mapping[tuple[str, str], Cost]

    def of(self, arch: Arch) -> Cost:
        """The cost of the network that holds `arch` alone."""
        parts = [self.common, *(self.added[chosen] for chosen in arch.items())]
        return Cost(sum(part.parameters for part in parts), sum(part.multiply_adds for part in parts))


def costs(
    space: Space, size: NetworkSize | None = None, image: tuple[int, int, int] = (3, 32, 32), classes: int = 10
) -> Costs:
    """The costs of a space's networks, trained alone, at `space.paper_size` by default.

    `image` is (channels, height, width). Pooling, normalisation and sums count as no multiply-adds, as usual. For
    NAS-Bench-201 the parameters are those of its published table, but for 150 rows there that are one operation off.
    """
    layout = space.layout(size or space.paper_size, image[0])
    # With running statistics every operation runs by itself, module by module, where it can be seen.
    network = build(layout, space.region, classes, seed=0, norm=Norm(space.affine, running=True))
    owners = find_owners(network)
    parameters = count(owners, {module: own_parameters(module) for module in network.modules()})
    work = count(owners, multiply_adds(network, space, image))
    added = {
        (choice.name, name): Cost(parameters[choice.name, name], work[choice.name, name])
        for choice in space.choices
        for name in choice.candidates
    }
    return Costs(Cost(parameters[None], work[None]), added)


def find_owners(network: Network) -> dict[nn.Module, Owner]:
    """Every module with the candidate that it belongs to."""
    owners: dict[nn.Module, Owner] = dict.fromkeys(network.modules())
    for edge in network.modules():
        if isinstance(edge, Edge):
            for name, operation in edge.ops.items():
                owners |= dict.fromkeys(operation.modules(), (edge.choice, name))
    return owners


def count(owners: Mapping[nn.Module, Owner], numbers: Mapping[nn.Module, int]) -> Counter[Owner]:
    """The sum of the modules' numbers by owner."""
    total: Counter[Owner] = Counter()
    for module, number in numbers.items():
        total[owners[module]] += number
    return total


def own_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters(recurse=False))


@torch.no_grad()
def multiply_adds(network: Network, space: Space, image: tuple[int, int, int]) -> dict[nn.Module, int]:
    """The multiply-adds of every convolution and linear layer for one image, seen as an image goes by."""
    seen: dict[nn.Module, int] = {}

    def see(module: nn.Module, inputs: object, output: Tensor) -> None:
        assert isinstance(module.weight, Tensor)
        seen[module] = output[0].numel() * module.weight[0].numel()

    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(see) for layer in layers]
    for arch in covering(space):
        network(torch.zeros(2, *image), one_hot(arch))
    for hook in hooks:
        hook.remove()
    return seen


def covering(space: Space) -> Iterable[Arch]:
    """As few architectures as hold every candidate of every choice."""
    for number in range(max(len(choice.candidates) for choice in space.choices)):
        yield {choice.name: choice.candidates[number % len(choice.candidates)] for choice in space.choices}
