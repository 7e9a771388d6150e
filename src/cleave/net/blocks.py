"""The three kinds of block a layout can name; each maps the last outputs of the network to the new last outputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from cleave.net.fan_out import Term, Use, fan_out, side_by_side, total
from cleave.net.gates import Gates, chosen, one_hot
from cleave.net.noise import DropPath
from cleave.net.place import BlockModule, Function, History, Place, builds
from cleave.ops import Operations
from cleave.ops.library import Zero, zeros
from cleave.space import Arch, Cell, Fixed, Layer, Region
from cleave.space.weight_copies import WeightCopies


class Edge(Place):
    """A place where one choice acts: the weighted sum of its active candidates. One edge for every space."""

    def __init__(self, choice: str, candidates: Sequence[str], shape: tuple[int, int, int], ops: Operations) -> None:
        """`shape` is (channels in, channels out, stride)."""
        super().__init__()
        self.choice, self.choices = choice, (choice,)
        self.shape, self.operations = shape, ops
        self.ops = nn.ModuleDict({name: ops.make(name, *shape) for name in candidates})
        self.drop = DropPath()

    def running(self, gates: Gates) -> nn.ModuleDict:
        """The candidates of which some run under these gates, by name."""
        return self.ops

    def forward(self, x: Tensor, gates: Gates) -> list[Use]:
        """The active candidates with their weights, which `fan_out` runs on `x` together with those of other edges."""
        gate = gates.get(self.choice)
        if gate is None:  # left out of the architecture
            return []
        weights: Iterable[Tensor | None] = [None] * len(gate.active) if gate.weight is None else gate.weight.unbind()
        ops, named = self.running(gates), zip(gate.active, weights, strict=True)
        return [Use(ops[name], weight, idle=name in gate.idle) for name, weight in named]

    def dropping(self, x: Tensor, gates: Gates) -> list[Use]:
        """The same in a cell, where other edges go on for an image whose path is dropped. Identities are not."""
        uses: list[Use] = self(x, gates)
        if self.drop.mask is None or not uses:
            return uses
        kept = [self.operations.hands_on(name, *self.shape) for name in gates[self.choice].active]
        return [use if keep else replace(use, drop=self.drop) for use, keep in zip(uses, kept, strict=True)]

    def own(self, choice: str) -> Iterable[nn.Parameter]:
        return self.ops.parameters()

    def used(self, gates: Gates) -> list[nn.Module]:
        return [self.running(gates)[name] for name in gates[self.choice].active] if self.choice in gates else []

    def alone(self, arch: Arch) -> nn.Module:
        _, channels_out, stride = self.shape
        running = self.running(one_hot(arch))
        return running[arch[self.choice]] if self.choice in arch else Zero(channels_out, stride)

    def extract(self, arch: Arch) -> Edge:
        edge = Edge(self.choice, (), self.shape, self.operations)
        if self.choice in arch:
            edge.ops[arch[self.choice]] = self.running(one_hot(arch))[arch[self.choice]]
        return edge

    def functions(self) -> Iterable[Function]:
        return [Function(name, self.ops, name) for name in self.ops]


class CopiedEdge(Edge):
    """An edge that has its candidates several times; an architecture runs those of the copy that it uses.

    So only gates of one candidate of each choice can be run.
    """

    def __init__(
        self,
        choice: str,
        allowed: Mapping[str, Sequence[str]],
        shape: tuple[int, int, int],
        ops: Operations,
        copies: WeightCopies,
    ) -> None:
        super().__init__(choice, (), shape, ops)
        self.copies = copies
        made = (Edge(choice, allowed[choice], shape, ops).ops for _ in range(copies.count(allowed)))
        self.ops = nn.ModuleDict({str(number): each for number, each in enumerate(made)})

    def running(self, gates: Gates) -> nn.ModuleDict:
        copy = self.ops[str(self.copies.of(chosen(gates)))]
        assert isinstance(copy, nn.ModuleDict)
        return copy

    def does(self, gates: Gates) -> Hashable:
        return self.copies.of(chosen(gates)), super().does(gates)

    def functions(self) -> Iterable[Function]:
        held = ((number, copy) for number, copy in self.ops.items() if isinstance(copy, nn.ModuleDict))
        return [Function(f"{number} {name}", copy, name) for number, copy in held for name in copy]


def edge_of(
    choice: str,
    region: Region,
    shape: tuple[int, int, int],
    operations: Operations,
    copies: WeightCopies | None,
) -> Edge:
    """The edge of a block for a region; where that is one architecture, it needs one copy."""
    if copies is None or region.arch is not None:
        return Edge(choice, region.allowed[choice], shape, operations)
    return CopiedEdge(choice, region.allowed, shape, operations, copies)


class FixedBlock(BlockModule):
    """An operation that is not searched, with affine normalisation; what came before it is mostly forgotten."""

    def __init__(self, spec: Fixed, region: Region, operations: Operations) -> None:
        super().__init__()
        self.keeps = spec.keeps
        self.op = operations.affine().make(spec.operation, spec.channels_in, spec.channels_out, spec.stride)

    def forward(self, history: History, gates: Gates) -> History:
        return [*history[-1:], self.op(history[-1])] if self.keeps else [self.op(history[-1])]

    def functions(self) -> Iterable[Function]:
        return [Function("fixed", self, "op")]


class LayerBlock(BlockModule):
    """A single edge in a chain."""

    def __init__(self, spec: Layer, region: Region, operations: Operations) -> None:
        super().__init__()
        shape = (spec.channels_in, spec.channels_out, spec.stride)
        self.spec, acts = spec, spec.choice in region.allowed
        self.edge = edge_of(spec.choice, region, shape, operations, spec.copies) if acts else None

    def forward(self, history: History, gates: Gates) -> History:
        x = history[-1]
        if self.edge is None or self.spec.choice not in gates:
            assert (self.spec.channels_in, self.spec.stride) == (self.spec.channels_out, 1), "it cannot be skipped"
            return [x]
        output = total(fan_out(x, self.edge(x, gates)))
        return [zeros(x, self.spec.channels_out, self.spec.stride) if output is None else output]


class CellBlock(BlockModule):
    """A cell: nodes joined by edges. Cells that look further back than there are outputs see the oldest again."""

    def __init__(self, spec: Cell, region: Region, operations: Operations) -> None:
        super().__init__()
        self.spec = spec
        self.links = [link for link in spec.links if link.choice in region.allowed]
        self.preprocess = nn.ModuleList(
            operations.make(name, width, spec.channels, 1)
            for name, width in zip(spec.preprocess, spec.channels_in, strict=True)
        )
        self.edges = nn.ModuleDict()
        for link in self.links:
            shape = (spec.channels, spec.channels, link.stride)
            edge = edge_of(link.choice, region, shape, operations, spec.copies)
            self.edges[f"{link.target}<-{link.source}"] = edge

    def functions(self) -> Iterable[Function]:
        before = [Function(f"before {child}", self.preprocess, child) for child, _ in self.preprocess.named_children()]
        return [*before, *super().functions()]

    def forward(self, history: History, gates: Gates) -> History:
        nodes = self._inputs(history)
        arriving: dict[int, list[Term | None]] = defaultdict(list)
        for node in range(1 + max(link.target for link in self.spec.links)):
            if node == len(nodes):  # links point forward, so that all of its terms have arrived
                nodes.append(self._sum(node, arriving[node], nodes))
            for target, term in self._leaving(node, nodes[node], gates):
                arriving[target].append(term)
        outputs = [nodes[node] for node in self.spec.outputs]
        return [history[-1], outputs[0] if len(outputs) == 1 else side_by_side(outputs)]

    def _leaving(self, node: int, x: Tensor, gates: Gates) -> Iterator[tuple[int, Term | None]]:
        """The terms that leave a node, each with the node where it arrives."""
        targets, uses = [], []
        for link, edge in zip(self.links, self.edges.values(), strict=True):
            if link.source == node:
                assert isinstance(edge, Edge)
                found = edge.dropping(x, gates)
                uses += found
                targets += [link.target] * len(found)
        return zip(targets, fan_out(x, uses), strict=True)

    def _sum(self, node: int, terms: list[Term | None], nodes: History) -> Tensor:
        output = total(terms)
        if output is not None:
            return output
        link = next(link for link in self.spec.links if link.target == node)
        return zeros(nodes[link.source], self.spec.channels, link.stride)

    def _inputs(self, history: History) -> History:
        missing = self.spec.inputs - len(history)
        recent = history[:1] * missing + history[-self.spec.inputs :]
        if not self.preprocess:
            return list(recent)
        return [module(x) for module, x in zip(self.preprocess, recent, strict=True)]


builds(Fixed)(FixedBlock)
builds(Layer)(LayerBlock)
builds(Cell)(CellBlock)
