"""What an architecture costs when it is built alone: parameters and multiply-adds, without building it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from cleave.net.count import MultiplyAdds
from cleave.net.gates import one_hot
from cleave.net.network import Network, build, count_parameters
from cleave.net.place import Place, places
from cleave.ops import Norm
from cleave.space import Arch, Space

Image = tuple[int, int, int]
"""(channels, height, width)"""


@dataclass(frozen=True)
class Cost:
    """Trainable numbers, and multiply-adds of one image in convolutions and linear layers."""

    parameters: int
    multiply_adds: int

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.parameters - other.parameters, self.multiply_adds - other.multiply_adds)


@dataclass(frozen=True)
class CostTable:
    """What places cost at which the same choices meet, by what an architecture chooses there.

    An entry is counted when it is first asked for: where a kernel and an expansion meet, their numbers multiply.
    """

    choices: tuple[str, ...]
    places: Sequence[tuple[Place, torch.Size]]
    """Each with the size of its input [n, channels, height, width]."""
    known: dict[tuple[str | None, ...], Cost] = field(default_factory=dict)

    def of(self, arch: Arch) -> Cost:
        key = tuple(arch.get(choice) for choice in self.choices)
        if key not in self.known:
            chosen = {choice: arch[choice] for choice in self.choices if choice in arch}
            self.known[key] = total(measure(place.alone(chosen), size) for place, size in self.places)
        return self.known[key]


@dataclass(frozen=True)
class Costs:
    """The cost of every architecture of a space: what is common to all, and a table for each set of choices that meet.

    Shapes do not depend on the candidates chosen, so costs add up exactly.
    """

    common: Cost
    tables: Sequence[CostTable]

    def of(self, arch: Arch) -> Cost:
        """The cost of the network that holds `arch` alone."""
        return total([self.common, *(table.of(arch) for table in self.tables)])

    def learning(self, arch: Arch) -> set[str]:
        """The choices at which `arch` has trainable numbers."""
        found = (table.choices for table in self.tables if table.of(arch).parameters)
        return {choice for choices in found for choice in choices if choice in arch}

    def extremes(self, allowed: Mapping[str, Sequence[str]], what: str) -> tuple[int, int]:
        """The least and the most of "parameters" or "multiply_adds" among all ways to choose from `allowed`.

        Only choices that several tables have in common are tried out together; all others are settled table by table.
        """
        common: int = getattr(self.common, what)
        ends = [component_extremes(tables, allowed, what) for tables in components(self.tables)]
        return common + sum(least for least, _ in ends), common + sum(most for _, most in ends)


def total(costs: Iterable[Cost]) -> Cost:
    listed = list(costs)
    return Cost(sum(cost.parameters for cost in listed), sum(cost.multiply_adds for cost in listed))


def components(tables: Sequence[CostTable]) -> list[list[CostTable]]:
    """The tables in groups that have no choice in common."""
    groups: list[list[CostTable]] = []
    for table in tables:
        linked = [group for group in groups if any(set(table.choices) & set(other.choices) for other in group)]
        groups = [group for group in groups if group not in linked] + [[table, *(t for group in linked for t in group)]]
    return groups


def component_extremes(tables: Sequence[CostTable], allowed: Mapping[str, Sequence[str]], what: str) -> tuple[int, int]:
    named = [choice for table in tables for choice in table.choices]
    joint = [choice for choice in dict.fromkeys(named) if named.count(choice) > 1]
    least, most = [], []
    for fixed in ways(joint, allowed):
        numbers = [
            [
                getattr(table.of({**fixed, **free}), what)
                for free in ways([choice for choice in table.choices if choice not in fixed], allowed)
            ]
            for table in tables
        ]
        least.append(sum(map(min, numbers)))
        most.append(sum(map(max, numbers)))
    return min(least), max(most)


def ways(choices: Sequence[str], allowed: Mapping[str, Sequence[str]]) -> Iterator[Arch]:
    """Every way to choose."""
    for candidates in product(*(allowed[choice] for choice in choices)):
        yield dict(zip(choices, candidates, strict=True))


def costs(
    space: Space,
    size: Any = None,  # noqa: ANN401  what the space's own layout takes
    image: Image = (3, 32, 32),
    classes: int = 10,
    norm: Norm | None = None,
    auxiliary: bool = False,
) -> Costs:
    """The costs of a space's networks, trained alone, at `space.paper_size` by default.

    Pooling, normalisation and sums count as no multiply-adds, as usual. For NAS-Bench-201 the parameters are those of
    its published table, but for 150 rows there that are one operation off. `auxiliary`: with the head that is for
    training only, where there is one.
    """
    layout = space.layout(size or space.paper_size, image[0])
    layout = layout if auxiliary else replace(layout, auxiliary=None)
    network = build(layout, space.region, classes, seed=0, norm=norm or layout.norm, device="meta")
    first = {choice.name: choice.candidates[0] for choice in space.choices}
    sizes, whole = seen(network, first, image)
    met: dict[tuple[str, ...], list[tuple[Place, torch.Size]]] = defaultdict(list)
    for place, input_size in sizes.items():
        met[place.choices].append((place, input_size))
    tables = [CostTable(choices, there) for choices, there in met.items()]
    return Costs(whole - total(table.of(first) for table in tables), tables)


def weights(space: Space) -> Costs:
    """The same of small networks, in which normalisations have nothing to learn: for where there are weights at all."""
    return costs(space, space.usual_size, norm=Norm(affine=False))


def seen(network: Network, arch: Arch, image: Image) -> tuple[dict[Place, torch.Size], Cost]:
    """The size of each place's input, and what the network costs for one architecture."""
    sizes: dict[Place, torch.Size] = {}

    def see(place: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(place, Place)
        sizes[place] = inputs[0].shape

    found = places(network).values()
    hooks = [place.register_forward_pre_hook(see) for place in found]
    with MultiplyAdds() as counted:
        network.heads(torch.zeros(2, *image, device="meta"), one_hot(arch))
    for hook in hooks:
        hook.remove()
    inside = sum(count_parameters(place) for place in found)
    used = sum(count_parameters(place.alone(arch)) for place in found)
    return sizes, Cost(count_parameters(network) - inside + used, counted.total // 2)


def measure(module: nn.Module, size: torch.Size) -> Cost:
    """What a module costs that is given an input of this size [n, channels, height, width]."""
    with MultiplyAdds() as counted:
        module(torch.zeros(size, device="meta"))
    return Cost(count_parameters(module), counted.total // size[0])
