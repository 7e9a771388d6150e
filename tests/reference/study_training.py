"""A study's training written out: every child a whole network of its own, values copied to and fro, SGD by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from cleave.data.stream import Batch
from cleave.net import Gates, Network

Place = tuple[int | None, str]
"""Whose value it is (None: all children's), and its name in a network."""


class PlainTraining:
    """`networks` are equal copies of the initial values, one for each child, with all candidates.

    `shared(name)` says what all children have in common. Values live in one dictionary; a step copies a child's into
    its network and what came of them back.
    """

    def __init__(self, network: Network, gates: list[Gates], shared: Callable[[str], bool], idle: str) -> None:
        self.network, self.gates, self.shared, self.drift = network, gates, shared, idle == "drift"
        self.values: dict[Place, Tensor] = {
            self.place(child, name): value.detach().clone()
            for child in range(len(gates)) for name, value in network.state_dict().items()
        }  # fmt: skip
        self.buffers: dict[Place, Tensor] = {}

    def place(self, child: int, name: str) -> Place:
        return (None if self.shared(name) else child), name

    def of(self, child: int) -> Network:
        """The child's network with its values of now."""
        network = deepcopy(self.network)
        network.load_state_dict({name: self.values[self.place(child, name)] for name in network.state_dict()})
        return network

    def step(self, child: int, batch: Batch, rate: float, momentum: float, decay: float) -> None:
        network = self.of(child)
        loss_by_hand(network(batch[0], self.gates[child]), batch[1]).backward()
        parameters = dict(network.named_parameters())
        for name, value in network.state_dict().items():
            place = self.place(child, name)
            if name not in parameters:
                self.values[place] = value.clone()  # running statistics, as the forward pass left them
        for place, gradient in self.gradients(child, parameters):
            pull = gradient + decay * self.values[place]
            self.buffers[place] = momentum * self.buffers[place] + pull if place in self.buffers else pull
            self.values[place] = self.values[place] - rate * self.buffers[place]

    def gradients(self, child: int, parameters: Mapping[str, nn.Parameter]) -> Iterator[tuple[Place, Tensor]]:
        """Of all that moves in a step. Drifting are the shared ones that some child uses, with no gradient."""
        for name, parameter in parameters.items():
            place = self.place(child, name)
            if parameter.grad is not None:
                yield place, parameter.grad
            elif self.drift and self.shared(name) and self.is_used(name):
                yield place, torch.zeros_like(parameter)

    def is_used(self, name: str) -> bool:
        return any(uses(gates, self.network, name) for gates in self.gates)


def uses(gates: Gates, network: Network, name: str) -> bool:
    """Whether an architecture has the tensor of that name."""
    if ".ops." not in name:
        return True
    edge, _, rest = name.partition(".ops.")
    choice: Any = network.get_submodule(edge).choice
    return rest.split(".")[0] in gates[choice].active


def loss_by_hand(logits: Tensor, labels: Tensor) -> Tensor:
    return -log_softmax(logits, dim=1)[torch.arange(len(labels)), labels].mean()


def cosine(epoch: int, epochs: int, highest: float, lowest: float) -> float:
    """The learning rate of an epoch (from 0), as published."""
    return lowest + 0.5 * (highest - lowest) * (1 + cos(pi * epoch / epochs))
