"""What an operation is, and what its name means: a space's own come first, then those that are registered for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from cleave.errors import UserError, unknown
from cleave.registry import Registry


@dataclass(frozen=True)
class Norm:
    """Batch normalisation as a network wants it.

    Without `running` statistics a layer always normalises by its batch, in evaluation too: shared weights have no
    one set of statistics that fits every child. `momentum` is the share of a new batch in running ones, `eps` what is
    added to a variance. `inherits`: the network goes on with a supernet's weights, so that it has all that is in one.
    """

    affine: bool = True
    running: bool = False
    momentum: float = 0.1
    eps: float = 1e-5
    inherits: bool = False

    def __call__(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(
            channels, eps=self.eps, momentum=self.momentum, affine=self.affine, track_running_stats=self.running
        )


Factory = Callable[[int, int, int, Norm], nn.Module]
"""(channels in, channels out, stride, norm) -> module. `functools.partial` gives it parameters of its own."""


@dataclass(frozen=True)
class Operation:
    """What makes the modules of an operation, and its traits.

    `identity`: hands on what it gets, where it keeps the shape. `zero`: makes zeros of anything.
    """

    factory: Factory
    identity: bool = False
    zero: bool = False

    def hands_on(self, channels_in: int, channels_out: int, stride: int) -> bool:
        """Whether it is the identity at this shape."""
        return self.identity and (channels_in, stride) == (channels_out, 1)


OPERATIONS: Registry[Operation] = Registry("operation")
"""Those that every space may use."""


def operation(name: str, *, identity: bool = False, zero: bool = False) -> Callable[[Factory], Factory]:
    """Registers a factory under the name by which choices and layouts refer to it; traits as of `Operation`."""

    def register(factory: Factory) -> Factory:
        OPERATIONS.register(name, Operation(factory, identity, zero))
        return factory

    return register


@dataclass(frozen=True)
class Operations:
    """What the names of operations mean in a network: `own` first, then the registered ones; and how it normalises."""

    own: Mapping[str, Operation] = field(default_factory=dict)
    norm: Norm = Norm()

    def get(self, name: str) -> Operation | None:
        return self.own.get(name) or OPERATIONS.get(name)

    def is_identity(self, name: str) -> bool:
        """Whether it is the name of an operation that hands on what it gets."""
        found = self.get(name)
        return found is not None and found.identity

    def is_zero(self, name: str) -> bool:
        """Whether it is the name of an operation that makes zeros of anything."""
        found = self.get(name)
        return found is not None and found.zero

    def hands_on(self, name: str, channels_in: int, channels_out: int, stride: int) -> bool:
        """Whether it is an identity at this shape."""
        found = self.get(name)
        return found is not None and found.hands_on(channels_in, channels_out, stride)

    def make(self, name: str, channels_in: int, channels_out: int, stride: int) -> nn.Module:
        """The module of an operation; UserError for an unknown one, and where it is not what it says it is."""
        found = self.get(name)
        if found is None:
            raise unknown("operation", name, [*self.own, *OPERATIONS])
        module = found.factory(channels_in, channels_out, stride, self.norm)
        if found.zero or found.hands_on(channels_in, channels_out, stride):
            trait = "zero" if found.zero else "identity"
            if any(True for _ in module.parameters()):
                raise UserError(
                    f"operation {name}: has parameters, so that it cannot be called {trait}; leave that out"
                )
        return module

    def convolves(self, name: str, channels_in: int, channels_out: int, stride: int) -> bool:
        """Whether it has a convolution with weights at this shape."""
        with torch.device("meta"):
            module = self.make(name, channels_in, channels_out, stride)
        return any(isinstance(each, nn.Conv2d) for each in module.modules())

    def affine(self) -> Operations:
        """The same of what is not searched, which always has affine parameters."""
        return replace(self, norm=replace(self.norm, affine=True))
