"""What an architecture step may see: losses as functions of the gates, and the weight step that follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cleave.net import Gates

Weights = Mapping[str, Tensor]
"""A network's parameters by name."""


class Loss(Protocol):
    """The loss on one mini-batch, in training mode."""

    def __call__(self, gates: Gates, weights: Weights | None = None) -> Tensor:
        """Under the network's own weights, or under others of the same names and shapes."""


@dataclass(frozen=True)
class SgdStep:
    """The weight step that follows: the loss on its mini-batch, and torch.optim.SGD as it stands before it.

    Its clipping is not told. `buffers` are the momentum by name; a weight that has not run yet has none.
    """

    loss: Loss
    weights: Weights
    buffers: Weights
    learning_rate: float
    momentum: float
    weight_decay: float
    nesterov: bool
    spared: Collection[str] = ()
    """The weights that are not decayed."""

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, loss: Loss, weights: Weights, buffers: Weights) -> SgdStep:
        """The step of an optimiser whose groups differ in nothing but that all after the first are not decayed."""
        group, *others = optimizer.param_groups
        apart = {id(parameter) for other in others for parameter in other["params"]}
        spared = [name for name, weight in weights.items() if id(weight) in apart]
        rate, momentum, decay, nesterov = (group[key] for key in ("lr", "momentum", "weight_decay", "nesterov"))
        return cls(loss, weights, buffers, rate, momentum, decay, nesterov, spared)

    @property
    def slope(self) -> float:
        """How far the step moves a weight against its gradient, per unit of it."""
        return self.learning_rate * (1 + self.momentum * self.nesterov)

    def moved(self, name: str, gradient: Tensor) -> Tensor:
        """Where the step takes a weight that has this gradient."""
        update = gradient if name in self.spared else gradient + self.weight_decay * self.weights[name]
        velocity = update + self.momentum * self.buffers[name] if name in self.buffers else update
        step = update + self.momentum * velocity if self.nesterov else velocity
        return self.weights[name] - self.learning_rate * step


@dataclass(frozen=True)
class ValidationLoss:
    """The loss on a held-out batch; `sgd_step` costs nothing before it is asked for.

    `loss` without weights is differentiable in what gates were made of, and not in the network's own weights.
    `accuracy`: the share of its images that a network gets right, without gradients.
    """

    loss: Loss
    sgd_step: Callable[[], SgdStep]
    accuracy: Callable[[Gates], float]
