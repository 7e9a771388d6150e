"""Training steps the way published code takes them: the gradients of weights and alpha, whichever is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, vector_to_parameters

from benchmarks.naive import Batch, Supernet
from cleave.method import ArchitectureSettings

DISTANCE = 0.01
"""How far the weights are moved, all together, for a finite difference (DARTS: epsilon = 0.01 / |v|)."""


class Trainer:
    """SGD on the weights and Adam on alpha, step by step."""

    def __init__(self, network: Supernet, settings: ArchitectureSettings) -> None:
        self.network, self.settings = network, settings
        self.sgd = torch.optim.SGD(
            network.weights(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
        self.adam = torch.optim.Adam(
            network.alphas.parameters(),
            lr=settings.architecture_learning_rate,
            betas=settings.architecture_betas,
            weight_decay=settings.architecture_weight_decay,
        )

    def weight_step(self, train: Batch) -> None:
        self.sgd.zero_grad()
        self.network.loss(train, self.network.softmax()).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip is not None:
            clip_grad_norm_(self.network.weights(), self.settings.clip)
        self.sgd.step()

    def alpha_step(self, held: Batch) -> None:
        self.adam.zero_grad()
        self.network.loss(held, self.network.softmax()).backward()  # type: ignore[no-untyped-call]
        self.adam.step()

    def first_order_step(self, train: Batch, held: Batch) -> None:
        self.alpha_step(held)
        self.weight_step(train)

    def second_order_step(self, train: Batch, held: Batch) -> None:
        """DARTS, equations 7 and 8: alpha learns from the weights one step ahead."""
        for name, gradient in self.second_order_gradients(train, held).items():
            self.network.alphas[name].grad = gradient
        self.adam.step()
        self.weight_step(train)

    def second_order_gradients(self, train: Batch, held: Batch) -> Mapping[str, Tensor]:
        """Of each alpha."""
        ahead = self.unrolled(train)
        ahead.loss(held, ahead.softmax()).backward()  # type: ignore[no-untyped-call]
        mixed = self.hessian_product(gradients_of(ahead.weights()), train)
        slope = self.learning_rate * (1 + self.settings.momentum)
        direct = dict(zip(ahead.alphas, gradients_of(list(ahead.alphas.values())), strict=True))
        return {name: direct[name] - slope * mixed[name] for name in direct}

    @property
    def learning_rate(self) -> float:
        rate: float = self.sgd.param_groups[0]["lr"]
        return rate

    def unrolled(self, train: Batch) -> Supernet:
        """A copy of the whole network after a weight step that is not clipped."""
        weights = self.network.weights()
        loss = self.network.loss(train, self.network.softmax())
        gradient = flat(torch.autograd.grad(loss, weights))
        theta = flat(weights).detach()
        update = gradient + self.settings.weight_decay * theta
        velocity = update + self.settings.momentum * self.buffers()
        step = update + self.settings.momentum * velocity
        ahead = deepcopy(self.network)
        ahead.zero_grad()
        vector_to_parameters(theta - self.learning_rate * step, ahead.weights())
        return ahead

    def buffers(self) -> Tensor:
        """SGD's momentum, all weights in a row; zero before the first step."""
        states = [(weight, self.sgd.state[weight].get("momentum_buffer")) for weight in self.network.weights()]
        return flat([torch.zeros_like(w) if buffer is None else buffer for w, buffer in states])

    def hessian_product(self, direction: Sequence[Tensor], train: Batch) -> Mapping[str, Tensor]:
        """By central differences: the weights are moved in place, forth and back.

        Only alpha's gradients are asked for here, as in DARTS's release.
        """
        scale = DISTANCE / flat(direction).norm()
        self.shift(direction, scale)
        above = self.alpha_gradients(train)
        self.shift(direction, -2 * scale)
        below = self.alpha_gradients(train)
        self.shift(direction, scale)
        pairs = zip(self.network.alphas, above, below, strict=True)
        return {name: (one - other) / (2 * scale) for name, one, other in pairs}

    @torch.no_grad()
    def shift(self, direction: Sequence[Tensor], scale: Tensor) -> None:
        for weight, part in zip(self.network.weights(), direction, strict=True):
            weight.add_(scale * part)

    def alpha_gradients(self, train: Batch) -> Sequence[Tensor]:
        loss = self.network.loss(train, self.network.softmax())
        return torch.autograd.grad(loss, list(self.network.alphas.values()))


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All in one row."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def gradients_of(weights: Sequence[nn.Parameter]) -> list[Tensor]:
    """Zero where the last backward pass did not come."""
    return [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
