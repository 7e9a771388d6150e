"""DARTS, second order (Liu et al. 2019, section 2.3): alpha is learned as it acts on the weights one step ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from cleave.method.architecture import ArchitectureSettings
from cleave.method.base import StepContext, method
from cleave.method.darts import Darts
from cleave.method.validation import SgdStep, ValidationLoss, Weights
from cleave.net import Gates

DISTANCE = 0.01
"""How far the weights are moved, all together, for a finite difference (DARTS: epsilon = 0.01 / |v|)."""

Gradients = Sequence[Tensor]


class Darts2Settings(ArchitectureSettings):
    """DARTS, second order."""

    name: Literal["darts2"] = "darts2"


@method(Darts2Settings, "darts-2nd", "darts-v2")
class Darts2(Darts):
    """DARTS whose held-out loss is that of the weights after the step that follows, with what alpha does to it.

    Networks and optimisers are only read: the weights of that step go through functional calls.
    """

    @staticmethod
    def passes_each(settings: Darts2Settings) -> int:
        return 4

    def gradients(self, validation: ValidationLoss, context: StepContext) -> Gradients:
        """d L_val(w'(alpha), alpha) / d alpha (DARTS, equations 7 and 8), the second derivative by differences.

        Clipping is not part of w'(alpha): whether it will bite depends on the whole gradient.
        """
        sgd_step, alphas = validation.sgd_step(), list(self.alpha.values())

        def training_gradients(weights: Weights) -> Gradients:
            loss = sgd_step.loss(self.mixture(context), weights)
            return torch.autograd.grad(loss, alphas, materialize_grads=True)

        ahead = virtual_step(sgd_step, self.gates(context))
        inputs = [*alphas, *ahead.values()]
        both = torch.autograd.grad(validation.loss(self.mixture(context), ahead), inputs, materialize_grads=True)
        direct, direction = both[: len(alphas)], dict(zip(ahead, both[len(alphas) :], strict=True))
        mixed = hessian_product(training_gradients, sgd_step.weights, direction)
        return [one - sgd_step.slope * other for one, other in zip(direct, mixed, strict=True)]


def virtual_step(sgd_step: SgdStep, gates: Gates) -> dict[str, Tensor]:
    """The weights that torch.optim.SGD would go to, new leaves of the graph; nothing is changed.

    A weight that no gradient reaches stands still, as in the step itself.
    """
    values = list(sgd_step.weights.values())
    gradients = torch.autograd.grad(sgd_step.loss(gates), values, allow_unused=True)
    with torch.no_grad():
        pairs = zip(sgd_step.weights.items(), gradients, strict=True)
        ahead = {name: weight if grad is None else sgd_step.moved(name, grad) for (name, weight), grad in pairs}
    return {name: weight.detach().requires_grad_() for name, weight in ahead.items()}


def hessian_product(gradients: Callable[[Weights], Gradients], weights: Weights, direction: Weights) -> list[Tensor]:
    """(d gradients / d weights) times `direction`, by central differences; zero where the direction is zero."""
    length = get_total_norm(direction.values())
    scale = DISTANCE / length.clamp(min=torch.finfo(length.dtype).tiny)

    def shifted(step: Tensor) -> dict[str, Tensor]:
        return {name: weight.detach() + step * direction[name] for name, weight in weights.items()}

    above, below = gradients(shifted(scale)), gradients(shifted(-scale))
    return [(one - other) * (length / (2 * DISTANCE)) for one, other in zip(above, below, strict=True)]
