"""The three kinds of block a layout can name; each maps the last outputs of the network to the new last outputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from cleave.net.fan_out import Term, Use, fan_out, total
from cleave.net.gates import Gates
from cleave.net.ops import Norm, make, zeros
from cleave.space import Cell, Fixed, Layer, Region
from cleave.space.layout import Block

History = list[Tensor]
"""The outputs of the last blocks, the newest last."""


class Edge(nn.Module):
    """A place where one choice acts: the weighted sum of its active candidates. One edge for every space."""

    def __init__(self, choice: str, candidates: Sequence[str], shape: tuple[int, int, int], norm: Norm) -> None:
        """`shape` is (channels in, channels out, stride)."""
        super().__init__()
        self.choice = choice
        self.ops = nn.ModuleDict({name: make(name, *shape, norm) for name in candidates})

    def uses(self, gates: Gates) -> list[Use]:
        """The active candidates with their weights."""
        gate = gates[self.choice]
        weights: Iterable[Tensor | None] = [None] * len(gate.active) if gate.weight is None else gate.weight.unbind()
        return [Use(self.ops[name], weight) for name, weight in zip(gate.active, weights, strict=True)]


class FixedBlock(nn.Module):
    """An operation that is not searched; what came before it is forgotten."""

    def __init__(self, spec: Fixed, norm: Norm) -> None:
        super().__init__()
        self.op = make(spec.operation, spec.channels_in, spec.channels_out, spec.stride, norm)

    def forward(self, history: History, gates: Gates) -> History:
        return [self.op(history[-1])]


class LayerBlock(nn.Module):
    """A single edge in a chain."""

    def __init__(self, spec: Layer, region: Region, norm: Norm) -> None:
        super().__init__()
        shape = (spec.channels_in, spec.channels_out, spec.stride)
        self.spec, self.edge = spec, Edge(spec.choice, region.allowed[spec.choice], shape, norm)

    def forward(self, history: History, gates: Gates) -> History:
        x = history[-1]
        output = total(fan_out(x, self.edge.uses(gates)))
        return [zeros(x, self.spec.channels_out, self.spec.stride) if output is None else output]


class CellBlock(nn.Module):
    """A cell: nodes joined by edges. Cells that look further back than there are outputs see the oldest again."""

    def __init__(self, spec: Cell, region: Region, norm: Norm) -> None:
        super().__init__()
        self.spec = spec
        self.preprocess = nn.ModuleList(
            make(name, width, spec.channels, 1, norm)
            for name, width in zip(spec.preprocess, spec.channels_in, strict=True)
        )
        self.edges = nn.ModuleDict()
        for link in spec.links:
            shape = (spec.channels, spec.channels, link.stride)
            self.edges[f"{link.target}<-{link.source}"] = Edge(link.choice, region.allowed[link.choice], shape, norm)

    def forward(self, history: History, gates: Gates) -> History:
        nodes = self._inputs(history)
        arriving: dict[int, list[Term | None]] = defaultdict(list)
        for node in range(1 + max(link.target for link in self.spec.links)):
            if node == len(nodes):  # links point forward, so that all of its terms have arrived
                nodes.append(self._sum(node, arriving[node], nodes))
            for target, term in self._leaving(node, nodes[node], gates):
                arriving[target].append(term)
        outputs = [nodes[node] for node in self.spec.outputs]
        return [history[-1], outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)]

    def _leaving(self, node: int, x: Tensor, gates: Gates) -> Iterator[tuple[int, Term | None]]:
        """The terms that leave a node, each with the node where it arrives."""
        targets, uses = [], []
        for link, edge in zip(self.spec.links, self.edges.values(), strict=True):
            assert isinstance(edge, Edge)
            if link.source == node:
                found = edge.uses(gates)
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


def make_block(spec: Block, region: Region, norm: Norm) -> nn.Module:
    """The module of a block. What is not searched always keeps its affine parameters."""
    if isinstance(spec, Fixed):
        return FixedBlock(spec, replace(norm, affine=True))
    return LayerBlock(spec, region, norm) if isinstance(spec, Layer) else CellBlock(spec, region, norm)
