"""Layers of torch's own as the text that makes them."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

from torch import nn

from cleave.errors import UserError

NOT_SAID = ("device", "dtype")
ANY = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
"""What the constructor of a layer without arguments takes, by its signature."""
WIDTH = 120
"""Columns of a line."""


def is_layer(module: nn.Module) -> bool:
    """Whether it is a layer of torch's own and nothing else: a subclass may do something else."""
    return getattr(nn, type(module).__name__, None) is type(module) and not any(True for _ in module.children())


def written(layer: nn.Module) -> str:
    """The call that makes it, as in "nn.Conv2d(3, 16, 3, padding=1, bias=False)"; UserError where that is not known."""
    words = []
    for name, parameter in signature(type(layer)).parameters.items():
        if name in NOT_SAID or parameter.kind in ANY:
            continue
        value = argument(layer, name)
        if parameter.default is Parameter.empty:
            words.append(repr(value))
        elif value != parameter.default:
            words.append(f"{name}={value!r}")
    return f"nn.{type(layer).__name__}({', '.join(words)})"


def argument(layer: nn.Module, name: str) -> Any:  # noqa: ANN401  of any layer
    """What it was given: layers of torch keep it under the same name, a bias as a parameter or None."""
    if not hasattr(layer, name):
        raise UserError(f"--format plain: how a {type(layer).__name__} was made is not known; give other formats")
    value = getattr(layer, name)
    if name == "bias" and not isinstance(value, bool):
        return value is not None or not getattr(layer, "affine", True)
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def in_sequence(layers: list[nn.Module]) -> list[str]:
    """One layer, or several in a row, as lines of text."""
    words = [written(layer) for layer in layers]
    if len(words) == 1:
        return words
    line = f"nn.Sequential({', '.join(words)})"
    return [line] if len(line) <= WIDTH - 50 else ["nn.Sequential(", *(f"    {word}," for word in words), ")"]
