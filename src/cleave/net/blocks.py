"""The three kinds of block a layout can name; each maps the last outputs of the network to the new last outputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from cleave.net.gates import Gate, Gates
from cleave.net.ops import Norm, make
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

    def forward(self, x: Tensor, gates: Gates) -> Tensor:
        gate = gates[self.choice]
        outputs = [self.ops[name](x) for name in gate.active]
        return reduce(torch.add, weighted(outputs, gate))


def weighted(outputs: list[Tensor], gate: Gate) -> list[Tensor]:
    """Each output times its weight."""
    if gate.weight is None:
        return outputs
    return [weight * output for weight, output in zip(gate.weight.unbind(), outputs, strict=True)]


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
        self.edge = Edge(spec.choice, region.allowed[spec.choice], shape, norm)

    def forward(self, history: History, gates: Gates) -> History:
        return [self.edge(history[-1], gates)]


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
        nodes = dict(enumerate(self._inputs(history)))
        for link, edge in zip(self.spec.links, self.edges.values(), strict=True):
            term = edge(nodes[link.source], gates)
            nodes[link.target] = nodes[link.target] + term if link.target in nodes else term
        outputs = [nodes[node] for node in self.spec.outputs]
        return [history[-1], outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)]

    def _inputs(self, history: History) -> History:
        missing = self.spec.inputs - len(history)
        recent = history[:1] * missing + history[-self.spec.inputs :]
        if not self.preprocess:
            return recent
        return [module(x) for module, x in zip(self.preprocess, recent, strict=True)]


def make_block(spec: Block, region: Region, norm: Norm) -> nn.Module:
    """The module of a block. What is not searched always keeps its affine parameters."""
    if isinstance(spec, Fixed):
        return FixedBlock(spec, Norm(affine=True, running=norm.running))
    return LayerBlock(spec, region, norm) if isinstance(spec, Layer) else CellBlock(spec, region, norm)
