"""What an architecture costs when it is built alone, without building it: parameters, multiply-adds, milliseconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cleave.errors import UserError
from cleave.net.count import MultiplyAdds
from cleave.net.gates import one_hot
from cleave.net.network import Network, build, count_parameters
from cleave.net.place import Place, places
from cleave.net.units import Image, Latency, fixed_parts, label, runs, unit_of
from cleave.ops import Norm
from cleave.space import Arch, Layout, Region, Space
from cleave.space.choice import joined


@dataclass(frozen=True)
class Cost:
    """Trainable numbers, and multiply-adds of one image in convolutions and linear layers.

    Milliseconds are those of a latency table, of a batch as it was measured; 0 where none is given.
    """

    parameters: int
    multiply_adds: int
    milliseconds: float = 0.0

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters - other.parameters,
            self.multiply_adds - other.multiply_adds,
            self.milliseconds - other.milliseconds,
        )

    @property
    def counts(self) -> dict[str, int]:
        """What is counted and not measured."""
        return {"parameters": self.parameters, "multiply_adds": self.multiply_adds}


LARGEST = 200_000
"""Ways to choose that are listed."""
Part = Sequence[Arch]
"""Ways to choose at some choices (`Space.parts`)."""


@dataclass(frozen=True)
class CostTable:
    """What places cost at which the same choices meet, by what an architecture chooses there.

    An entry is counted when it is first asked for: where a kernel and an expansion meet, their numbers multiply.
    """

    choices: tuple[str, ...]
    places: Sequence[tuple[Place, torch.Size]]
    """Each with the size of its input [n, channels, height, width]."""
    latency: Latency | None = None
    known: dict[tuple[str | None, ...], Cost] = field(default_factory=dict)
    alike: dict[Hashable, Cost] = field(default_factory=dict)
    """By what places do: what is chosen differently may run the same."""

    def of(self, arch: Arch) -> Cost:
        key = tuple(arch.get(choice) for choice in self.choices)
        if key not in self.known:
            self.known[key] = self._of({choice: arch[choice] for choice in self.choices if choice in arch})
        return self.known[key]

    def _of(self, chosen: Arch) -> Cost:
        key = tuple(place.does(one_hot(chosen)) for place, _ in self.places)
        if key not in self.alike:
            self.alike[key] = total(
                measure(place.alone(chosen), size, label(chosen), self.latency) for place, size in self.places
            )
        return self.alike[key]

    def met(self, parts: Sequence[Part]) -> list[Arch]:
        """What architectures choose here that are put together from `Space.parts`."""
        acting = [narrowed(part, self.choices) for part in parts if acted_on(part) & set(self.choices)]
        return narrowed(list(map(joined, product(*acting))), self.choices)


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

    def count(self, parts: Sequence[Part]) -> None:
        """Counts every entry now; UserError where a latency is not known."""
        for table in self.tables:
            for chosen in table.met(parts):
                table.of(chosen)

    def groups(self, parts: Sequence[Part]) -> list[list[tuple[Arch, Cost]]]:
        """What is put together from `Space.parts`, in groups that have no table in common: a network costs `common`
        and one alternative of each group. UserError where one has too many alternatives to list."""
        return [listed(tables, own) for tables, own in components(self.tables, parts)]

    def extremes(self, parts: Sequence[Part], what: str) -> tuple[Any, Any]:
        """The least and the most of a figure of `Cost`, such as "parameters", among what is put together from
        `Space.parts`; whole numbers of those that are counted.

        Only parts that act on several tables are tried out together; all others are settled table by table.
        """
        common = getattr(self.common, what)
        ends = [component_extremes(*component, what) for component in components(self.tables, parts)]
        return common + sum(least for least, _ in ends), common + sum(most for _, most in ends)


def total(costs: Iterable[Cost]) -> Cost:
    listed = list(costs)
    return Cost(
        sum(cost.parameters for cost in listed),
        sum(cost.multiply_adds for cost in listed),
        sum(cost.milliseconds for cost in listed),
    )


def acted_on(part: Part) -> set[str]:
    """The choices that some of it names."""
    return {choice for each in part for choice in each}


def narrowed(part: Part, choices: Sequence[str]) -> list[Arch]:
    """What of it acts at these choices, each once."""
    found = [{choice: each[choice] for choice in choices if choice in each} for each in part]
    return list({tuple(each.items()): each for each in found}.values())


def components(tables: Sequence[CostTable], parts: Sequence[Part]) -> list[tuple[list[CostTable], list[Part]]]:
    """Tables with the parts that act on them, in groups that have nothing in common."""
    groups: list[tuple[list[CostTable], list[Part]]] = [([table], []) for table in tables]
    for part in parts:
        linked = [group for group in groups if any(acted_on(part) & set(table.choices) for table in group[0])]
        groups = [group for group in groups if group not in linked]
        groups.append(([table for group in linked for table in group[0]], [part, *(p for g in linked for p in g[1])]))
    return groups


def listed(tables: Sequence[CostTable], parts: Sequence[Part]) -> list[tuple[Arch, Cost]]:
    """Every way to choose in a component, with what it costs there."""
    if (ways := prod(map(len, parts))) > LARGEST:
        raise UserError(f"costs are those of {ways:,} ways to choose together, where {LARGEST:,} can be looked at")
    return [(arch, total(table.of(arch) for table in tables)) for arch in map(joined, product(*parts))]


def component_extremes(tables: Sequence[CostTable], parts: Sequence[Part], what: str) -> tuple[Any, Any]:
    on = [[part for part in parts if acted_on(part) & set(table.choices)] for table in tables]
    joint = [part for part in parts if sum(part in each for each in on) > 1]
    least, most = [], []
    for fixed in map(joined, product(*joint)):
        numbers = [
            [
                getattr(table.of({**fixed, **free}), what)
                for free in map(joined, product(*(part for part in each if part not in joint)))
            ]
            for table, each in zip(tables, on, strict=True)
        ]
        least.append(sum(map(min, numbers)))
        most.append(sum(map(max, numbers)))
    return min(least), max(most)


def costs(
    space: Space,
    size: Any = None,  # noqa: ANN401  what the space's own layout takes
    image: Image = (3, 32, 32),
    classes: int = 10,
    norm: Norm | None = None,
    auxiliary: bool = False,
    latency: Latency | None = None,
) -> Costs:
    """The costs of a space's networks, trained alone, at `space.paper_size` by default.

    Pooling, normalisation and sums count as no multiply-adds, as usual. For NAS-Bench-201 the parameters are those of
    its published table, but for 150 rows there that are one operation off. `auxiliary`: with the head that is for
    training only, where there is one. `latency`: by which milliseconds are told, of all that an architecture chooses,
    whether it leads anywhere or not.
    """
    layout = space.layout(size or space.paper_size, image[0])
    layout = layout if auxiliary else replace(layout, auxiliary=None)
    network = build(layout, space.region, classes, seed=0, norm=norm or layout.norm, device="meta")
    first = {choice.name: choice.candidates[0] for choice in space.choices}
    sizes, whole = seen(network, first, image)
    tables = tables_of(sizes, latency)
    common = whole - total(table.of(first) for table in tables)
    if latency is not None:
        parts = sum(latency.of(unit_of(*part)) for part in fixed_parts(network, first, image) if runs(part.module))
        common = replace(common, milliseconds=latency.base + parts)
    return Costs(common, tables)


def tables_of(sizes: Mapping[Place, torch.Size], latency: Latency | None = None) -> list[CostTable]:
    """Places, each with the size of its input, by the choices that meet there."""
    met: dict[tuple[str, ...], list[tuple[Place, torch.Size]]] = defaultdict(list)
    for place, size in sizes.items():
        met[place.choices].append((place, size))
    return [CostTable(choices, there, latency) for choices, there in met.items()]


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
    multiply_adds = counted(network, partial(network.heads, torch.zeros(2, *image, device="meta"), one_hot(arch))) // 2
    for hook in hooks:
        hook.remove()
    inside = sum(count_parameters(place) for place in found)
    used = sum(count_parameters(place.alone(arch)) for place in found)
    return sizes, Cost(count_parameters(network) - inside + used, multiply_adds)


def counted(network: Network, run: Callable[[], object]) -> int:
    """The multiply-adds of a pass. In a network in which nothing is chosen torch counts them, attention included."""
    if not places(network):
        from torch.utils.flop_counter import FlopCounterMode  # not at the top: it is slow to import

        with FlopCounterMode(display=False) as flops:
            run()
        total_flops: int = flops.get_total_flops()
        return total_flops // 2
    multiply_adds = MultiplyAdds()
    with multiply_adds:
        run()
    return multiply_adds.total


def measure(module: nn.Module, size: torch.Size, name: str, latency: Latency | None) -> Cost:
    """What a module of this name costs that is given an input of this size [n, channels, height, width]."""
    unit = unit_of(name, module, size)
    milliseconds = latency.of(unit) if latency is not None and runs(module) else 0.0
    return Cost(unit.parameters, unit.multiply_adds, milliseconds)


def cost_alone(layout: Layout, arch: Arch, image: Image, classes: int) -> Cost:
    """What one architecture costs that is trained by itself; an auxiliary head, which is for training only, is no part
    of it."""
    plain = replace(layout, auxiliary=None)
    return seen(build(plain, Region.of(arch), classes, 0, layout.norm, "meta"), arch, image)[1]
