"""Copies of networks that share tensors with them, as `copy.deepcopy` makes them, at a small part of its cost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, TypeVar, cast

from torch import Tensor, nn

ModuleType = TypeVar("ModuleType", bound=nn.Module)
Memo = dict[int, Any]
"""By the id of what was met: what stands for it in the copy, as in `copy.deepcopy`."""

ATOMS = (type(None), bool, int, float, str)
CONTAINERS = (dict, OrderedDict, list, set)


def sharing(network: ModuleType, tensors: Iterable[Tensor]) -> ModuleType:
    """A copy of a network in which these tensors are the network's own.

    Most of what a module holds is empty, a number or a word, which take `deepcopy` as long as the rest.
    """
    return cast("ModuleType", _module(network, {id(tensor): tensor for tensor in tensors}))


def _module(module: nn.Module, memo: Memo) -> nn.Module:
    make, arguments, state, *more = cast("tuple[Any, ...]", module.__reduce_ex__(4))
    if hasattr(module, "__deepcopy__") or type(state) is not dict or any(more):
        return deepcopy(module, memo)  # it has its own way to be copied
    copy = memo[id(module)] = make(*arguments)
    copy.__setstate__({name: _value(value, memo) for name, value in state.items()})
    return cast("nn.Module", copy)


def _value(value: Any, memo: Memo) -> Any:  # noqa: ANN401
    kind = type(value)
    if kind in ATOMS or (kind is tuple and all(type(each) in ATOMS for each in value)):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, nn.Module):
        return _module(value, memo)
    if kind in CONTAINERS and not value:
        return memo.setdefault(id(value), kind())
    if kind is dict:
        copy = memo[id(value)] = {}
        copy.update((name, _value(each, memo)) for name, each in value.items())
        return copy
    return deepcopy(value, memo)
