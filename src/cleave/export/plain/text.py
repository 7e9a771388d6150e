"""The lines of a network's class: what it is made of, and what it does, block by block."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node

from cleave.export.plain.graph import Piece, block_of, input_of, pieces_of, tensors_of
from cleave.export.plain.layers import in_sequence
from cleave.export.plain.operations import expression

BETWEEN = ("network", "blocks", "edges", "ops", "op", "place", "module", "body", "edge", "")
"""Parts of names that say nothing to who reads the file."""
INPUT = "x"
RESERVED = ("self", INPUT, "logits", "pixel_mean", "pixel_std", "torch", "nn", "functional")
"""Names that mean something else in the file."""


@dataclass
class NetworkText:
    """`init` and `forward` as lines, the name of what forward gives, and all tensors by their names in the class."""

    init: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    output: str = ""
    weights: dict[str, Tensor] = field(default_factory=dict)
    made: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Names of layers, by their names in the network."""
    taken: dict[str, int] = field(default_factory=dict)
    """How often a name was given."""

    def name(self, wanted: str) -> str:
        """A name that nothing else has."""
        plain = re.sub(r"\W+", "_", wanted.replace("<-", "_from_")).strip("_") or "layer"
        plain = f"layer_{plain}" if plain[0].isdigit() else plain
        if plain in RESERVED or keyword.iskeyword(plain) or hasattr(nn.Module, plain):
            plain = f"{plain}_"
        self.taken[plain] = number = self.taken.get(plain, 0) + 1
        return plain if number == 1 else self.name(f"{plain}_{number}")


def text_of(program: ExportedProgram, network: nn.Module) -> NetworkText:
    """Of a program of normalised images; UserError where something of it cannot be written."""
    text, tensors, pieces = NetworkText(), tensors_of(program), pieces_of(program, network)
    names = {node: INPUT for node in program.graph.nodes if node.op == "placeholder" and node not in tensors}
    names |= {node: f"self.{own_tensor(text, tensors[node], program)}" for node in outside_layers(pieces, tensors)}
    block = None
    for piece in pieces:
        if (now := block_of(piece.place)) != block:
            text.forward += [*[""] * (block is not None), f"# {now or ('head' if block else 'images')}"]
            block = now
        if piece.paths:
            called = layers(text, network, piece.paths)
            names[piece.last] = text.name(called) if called in names.values() else called
            text.forward.append(f"{names[piece.last]} = self.{called}({names[input_of(piece, tensors)]})")
        else:
            names[piece.last] = text.name(piece.last.name)
            text.forward.append(f"{names[piece.last]} = {expression(piece.last, names)}")
    (given,) = next(node for node in program.graph.nodes if node.op == "output").args[0]
    text.output = names[given]
    return text


def outside_layers(pieces: Sequence[Piece], tensors: Mapping[Node, str]) -> list[Node]:
    """The parameters, buffers and constants that operations use which are no layers of torch's own."""
    used = {each for piece in pieces if not piece.paths for each in piece.last.all_input_nodes}
    return [node for node in tensors if node in used]


def own_tensor(text: NetworkText, target: str, program: ExportedProgram) -> str:
    """A tensor that is no layer's."""
    name = text.name(said(target.split(".")))
    value = program.state_dict[target] if target in program.state_dict else program.constants[target]
    zeros = f"torch.zeros({list(value.shape)}, dtype={value.dtype})"
    learned = target in program.graph_signature.parameters
    text.init.append(f"self.{name} = nn.Parameter({zeros})" if learned else f'self.register_buffer("{name}", {zeros})')
    text.weights[name] = value
    return name


def layers(text: NetworkText, network: nn.Module, paths: tuple[str, ...]) -> str:
    """The name of some layers in a row, which are called as one; those that are called again have the same."""
    if paths in text.made:
        return text.made[paths]
    modules = [network.get_submodule(path) for path in paths]
    text.made[paths] = name = text.name(said(begun_alike([path.split(".") for path in paths])))
    first, *rest = in_sequence(modules)
    text.init += [f"self.{name} = {first}", *rest]
    for number, module in enumerate(modules):
        before = f"{name}." if len(modules) == 1 else f"{name}.{number}."
        text.weights |= {f"{before}{key}": value for key, value in module.state_dict().items()}
    return name


def begun_alike(names: Sequence[Sequence[str]]) -> list[str]:
    """What all begin with."""
    return [each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))]


def said(parts: Sequence[str]) -> str:
    """What of a module's name tells a reader something."""
    return "_".join(part for part in parts if part not in BETWEEN and not part.isdecimal())
