"""A supernet that does not repeat its beginning: neighbouring architectures begin alike on the same images."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from cleave.net import BlockModule, Network, places


class Remembered(nn.Module):
    """An operation without state that keeps its last input and output, and works only for another input."""

    def __init__(self, operation: nn.Module) -> None:
        super().__init__()
        self.operation = operation
        self.last: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.last is None or not same(x, self.last[0]):
            self.last = x, self.operation(x)
        return self.last[1]


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two inputs are equal, to the bit but for the sign of zeros."""
    return one is other or torch.equal(one, other)


def remembering(network: Network) -> Network:
    """A copy with the same outputs whose operations remember, up to and including the first searched block.

    Only there do different architectures meet the same inputs; behind it memories would be in vain. For batch
    statistics only: with running statistics an operation has state.
    """
    copy = deepcopy(network)
    for block in copy.blocks.values():
        assert isinstance(block, BlockModule)
        for _, holder, child in list(block.functions()):
            holder.add_module(child, Remembered(holder.get_submodule(child)))
        if places(block):
            break
    return copy
