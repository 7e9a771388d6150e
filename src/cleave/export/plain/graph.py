"""A network's program in pieces that become one line each: layers of torch's own in a row, or one operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.fx import Node

from cleave.errors import UserError
from cleave.export.handed import traced
from cleave.export.plain.layers import is_layer
from cleave.net.units import Image


@dataclass(frozen=True)
class Piece:
    """Nodes of a program in order. `paths`: the layers that they are, by their names in the network; none where it is
    one operation."""

    nodes: tuple[Node, ...]
    paths: tuple[str, ...]
    place: str
    """The name of the module where it runs."""

    @property
    def last(self) -> Node:
        return self.nodes[-1]


def program_of(network: nn.Module, image: Image) -> ExportedProgram:
    """Of normalised images, any number of them."""
    return traced(network, torch.zeros(2, *image), {0: Dim("n")})


def tensors_of(program: ExportedProgram) -> dict[Node, str]:
    """The inputs that are parameters, buffers or constants, with their names in the program."""
    told = program.graph_signature
    names = {**told.inputs_to_parameters, **told.inputs_to_buffers, **told.inputs_to_lifted_tensor_constants}
    return {node: names[node.name] for node in program.graph.nodes if node.op == "placeholder" and node.name in names}


def pieces_of(program: ExportedProgram, network: nn.Module) -> list[Piece]:
    """In the order in which they run; layers that follow each other together, if nothing else sees what is between."""
    tensors, joined, pieces = tensors_of(program), list[Piece](), list(single(program, network))
    calls = Counter(path for piece in pieces for path in piece.paths)
    for piece in pieces:
        once = all(calls[path] == 1 for path in piece.paths)
        if joined and once and follows(joined[-1], piece, tensors):
            before = joined.pop()
            piece = Piece((*before.nodes, *piece.nodes), (*before.paths, *piece.paths), before.place)
        joined.append(piece)
    return joined


def single(program: ExportedProgram, network: nn.Module) -> Iterator[Piece]:
    """Each layer and each operation by itself."""
    modules, place = dict(network.named_modules()), ""
    running = (node for node in program.graph.nodes if node.op == "call_function" and (node.users or is_mutable(node)))
    for key, nodes in groupby(running, call_of):
        path = key.path if key.path in modules else place  # what asks for a size may be of no module
        place = path
        if is_layer(modules[path]):
            yield Piece(tuple(nodes), (path,), path)
        else:
            yield from (Piece((node,), (), path) for node in nodes)


class Call(NamedTuple):
    """One call of a module: what tells it from other calls, and the module's name in the network."""

    key: str
    path: str


def call_of(node: Node) -> Call:
    """That of the innermost module that a node is of."""
    stack = node.meta.get("nn_module_stack") or {"": ("", None)}
    key, (path, _) = list(stack.items())[-1]
    return Call(key, path.partition("@")[0])


def is_mutable(node: Node) -> bool:
    """Whether it changes one of its inputs."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def input_of(piece: Piece, tensors: dict[Node, str]) -> Node:
    """What layers are given; UserError where that is not one tensor."""
    given = [each for node in piece.nodes for each in node.all_input_nodes]
    outside = dict.fromkeys(each for each in given if each not in piece.nodes and each not in tensors)
    if len(outside) != 1:
        raise UserError(f"--format plain: {piece.place} takes {len(outside)} inputs, not one; give other formats")
    return next(iter(outside))


def follows(before: Piece, piece: Piece, tensors: dict[Node, str]) -> bool:
    """Whether both are layers of one block, of which the second alone sees what the first gives."""
    if not before.paths or not piece.paths or block_of(before.place) != block_of(piece.place):
        return False
    return input_of(piece, tensors) is before.last and all(user in piece.nodes for user in before.last.users)


def block_of(path: str) -> str:
    """The name of the block that a module of a network is in; empty behind the last one."""
    parts = path.split(".")
    return parts[2] if parts[:2] == ["network", "blocks"] and len(parts) > 2 else ""
