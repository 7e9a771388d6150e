"""The NAS-Bench-201 space (Dong & Yang, 2020): one cell of 6 edges and 5 operations, 15,625 architectures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cleave.errors import UserError, shown, unknown
from cleave.settings import NetworkSettings, NetworkSize
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Block, Cell, Fixed, Layout, Link
from cleave.space.region import Region
from cleave.space.space import Space, offered

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(target, source) of each edge, in the order of the official strings."""

FORM = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
"""The official string, with a place for each edge's operation."""
WRITTEN = re.compile(re.escape(FORM).replace(r"\{\}", "([^|~+]+)"))
"""The same, to be read: in a time that grows with the text as it does."""

NODES = ("input", "node 1", "node 2", "output")

PATHS = (("3<-0",), ("1<-0", "3<-1"), ("2<-0", "3<-2"), ("1<-0", "2<-1", "3<-2"))
"""Every way from the cell's input to its output."""


class NASBench201(Space):
    """The space with all five operations, the 4 of GM-NAS's ablations (without none), or any two or more."""

    name = "nasbench201"
    paper_size = NetworkSize(channels=16, cells=5)
    tabulated = True

    def __init__(self, operations: int | Sequence[str] | None = None) -> None:
        candidates = offered(operations, OPERATIONS, fewer={4: OPERATIONS[1:]})
        self.choices = tuple(Choice(f"{target}<-{source}", candidates) for target, source in EDGES)

    @classmethod
    def from_settings(cls, settings: NetworkSettings) -> NASBench201:
        return cls(settings.ops)

    def asked(self) -> Mapping[str, Any]:
        return {"ops": list(self.choices[0].candidates)}

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        """Stem, three stages of `size.cells` cells at 1, 2 and 4 times `size.channels`, halving in between."""
        widths = [size.channels * factor for factor in (1, 2, 4)]
        blocks: list[tuple[str, Block]] = [("stem", Fixed("conv_3x3_bn", image_channels, widths[0]))]
        links = tuple(Link(f"{target}<-{source}", source, target) for target, source in EDGES)
        for stage, width in enumerate(widths):
            if stage:
                blocks.append((f"reduce{stage}", Fixed("residual_block", width // 2, width, stride=2)))
            blocks += [(f"cell{stage}_{i}", Cell(width, links, outputs=(3,))) for i in range(size.cells)]
        blocks.append(("last", Fixed("bn_relu", widths[-1], widths[-1])))
        return Layout(tuple(blocks), features=widths[-1], ends=("stem", "last", "classifier"))

    def valid(self, arch: Arch) -> bool:
        """Connected: some path from input to output has no `none` on it."""
        return any(all(arch[edge] != "none" for edge in path) for path in PATHS)

    def holds_valid(self, region: Region) -> bool:
        """Some path has an operation other than `none` allowed on each of its edges."""
        return any(all(set(region.allowed[edge]) != {"none"} for edge in path) for path in PATHS)

    def grouping(self) -> Callable[[Arch], int] | None:
        """Those without a convolution are in one group with those of one, as published."""
        counted = super().grouping()
        return counted and (lambda arch: max(1, counted(arch)))

    def draw(self, arch: Arch) -> str:
        """The cell node by node, each with the edges that leave it; `none` is no edge."""
        lines = []
        for node, name in enumerate(NODES[:-1]):
            leaving = [(target, arch[f"{target}<-{source}"]) for target, source in EDGES if source == node]
            edges = [f"─ {operation} ─▶ {NODES[target]}" for target, operation in leaving if operation != "none"]
            lines += [name, *(f"  ├{edge}" for edge in edges[:-1]), *(f"  └{edge}" for edge in edges[-1:])]
        return "\n".join(lines)

    def format(self, arch: Arch) -> str:
        """The official string, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
        return FORM.format(*(arch[choice.name] for choice in self.choices))

    def parse(self, text: str) -> Arch:
        """The architecture of an official string; UserError where it is malformed or uses another operation."""
        found = WRITTEN.fullmatch(text)
        if found is None:
            raise UserError(f"architecture {shown(text)}: is not of the form {FORM.format(*['op'] * len(EDGES))}")
        names = found.groups()
        for choice, name in zip(self.choices, names, strict=True):
            if name not in choice.candidates:
                raise unknown(f"architecture {shown(text)}, edge {choice.name}", name, choice.candidates)
        return {choice.name: name for choice, name in zip(self.choices, names, strict=True)}
