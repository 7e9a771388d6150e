"""Operations of a program as Python: the common ones as people write them, all others by their names in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.fx import Node

from cleave.errors import UserError

BETWEEN = {"add": "+", "sub": "-", "mul": "*", "div": "/", "truediv": "/", "floordiv": "//"}
"""Operators of two arguments."""
FUNCTIONS = {
    **dict.fromkeys(("relu", "cat", "sigmoid", "tanh", "flatten", "unsqueeze", "clamp", "maximum"), "torch"),
    **dict.fromkeys(("hardsigmoid", "hardswish", "relu6", "silu", "pad", "avg_pool2d"), "functional"),
}
"""Functions that take what the operation takes, and where they are."""
METHODS = ("mean", "contiguous", "view", "reshape", "permute", "transpose", "expand", "chunk")
"""The same of methods of tensors."""
END = 2**63 - 1
Names = Mapping[Node, str]


def expression(node: Node, names: Names) -> str:
    """What a node computes, of values by name; UserError where it needs more than torch."""
    args = [shown(each, names) for each in node.args]
    words = [*args, *(f"{key}={shown(value, names)}" for key, value in node.kwargs.items())]
    if not isinstance(node.target, torch._ops.OpOverload):
        return of_python(node, args)
    space, _, name = node.target._schema.name.partition("::")
    if space != "aten":
        raise UserError(f"--format plain: {space}::{name} is no operation of torch; give other formats")
    plain = name.removesuffix("_") if may_be_new(node) else name
    if plain in BETWEEN and len(words) == 2:
        return f"{args[0]} {BETWEEN[plain]} {args[1]}"
    if plain in SPECIAL:
        return SPECIAL[plain](args)
    if plain in FUNCTIONS:
        return f"{FUNCTIONS[plain]}.{plain}({', '.join(words)})"
    if plain in METHODS:
        return f"{args[0]}.{plain}({', '.join(words[1:])})"
    return f"torch.ops.aten.{name}.{node.target._overloadname}({', '.join(words)})"


def of_python(node: Node, args: list[str]) -> str:
    """Of sizes, and of one of several outputs."""
    name = getattr(node.target, "__name__", str(node.target))
    if name == "getitem":
        return f"{args[0]}[{args[1]}]"
    if name in BETWEEN and len(args) == 2:
        return f"{args[0]} {BETWEEN[name]} {args[1]}"
    raise UserError(f"--format plain: {name} of sizes cannot be written; give other formats")


def may_be_new(node: Node) -> bool:
    """Whether a result may be a new tensor: where it is put into the first input, nobody may look at that later."""
    assert isinstance(node.target, torch._ops.OpOverload)
    if not node.target._schema.is_mutable:
        return True
    order = {each: place for place, each in enumerate(node.graph.nodes)}
    into = node.args[0]
    return isinstance(into, Node) and all(order[user] <= order[node] for user in into.users)


def sliced(args: list[str]) -> str:
    """x[:, :, start:end:step]"""
    x, dim, start, end, step = [*args, *["0", "0", str(END), "1"][len(args) - 1 :]]
    first, last = "" if start in ("0", "None") else start, "" if end in (str(END), "None") else end
    return f"{x}[{':, ' * int(dim)}{first}:{last}{'' if step == '1' else f':{step}'}]"


SPECIAL: dict[str, Callable[[list[str]], str]] = {
    "slice": sliced,
    "sym_size": lambda args: f"{args[0]}.shape[{args[1]}]",
}


def shown(value: Any, names: Names) -> str:  # noqa: ANN401  whatever a node is given
    """An argument as Python."""
    if isinstance(value, Node):
        return names[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(each, names) for each in value)}]"
    if isinstance(value, torch.device):
        return f'"{value}"'
    return str(value) if isinstance(value, torch.dtype | torch.memory_format | torch.layout) else repr(value)
