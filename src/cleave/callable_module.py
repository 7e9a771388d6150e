"""`cleave.search(...)` beside `cleave.search.runner`: a subpackage that is called as the public function of its name.

Python puts a subpackage into its parent under its own name as soon as anything imports it, so that a function of that
name would be there or not by chance.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A module that is the function of its name in `cleave.api`, which is loaded when it is called."""

    def __call__(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        return function_of(self)(*args, **named)

    @property
    def __signature__(self) -> Signature:
        return signature(function_of(self))


def function_of(module: ModuleType) -> Callable[..., Any]:
    """What a module is called as."""
    found: Callable[..., Any] = getattr(import_module("cleave.api"), module.__name__.rpartition(".")[2])
    return found


def make_callable(name: str) -> None:
    """Has the module of that name be called as the function of `cleave.api`."""
    sys.modules[name].__class__ = CallableModule
