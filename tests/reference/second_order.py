"""An exact twin of `cleave.method.second_order`: torch differentiates through the weight step itself."""

from __future__ import annotations

import torch
from torch import Tensor

from cleave.method import Loss, SgdStep
from cleave.net import Gates


def gradients(held: Loss, descent: SgdStep, gates: Gates, alphas: list[Tensor], through: bool = True) -> list[Tensor]:
    """d held(w - step(alpha), alpha) / d alpha; without `through` the step is taken for a constant."""
    weights = list(descent.weights.values())
    slopes = torch.autograd.grad(descent.loss(gates), weights, create_graph=True, allow_unused=True)
    after = {}
    for (name, weight), slope in zip(descent.weights.items(), slopes, strict=True):
        if slope is None:
            after[name] = weight
            continue
        decayed = slope + descent.weight_decay * weight
        velocity = descent.momentum * descent.buffers.get(name, torch.zeros_like(weight)) + decayed
        step = decayed + descent.momentum * velocity if descent.nesterov else velocity
        after[name] = weight - descent.learning_rate * step
    if not through:
        after = {name: weight.detach() for name, weight in after.items()}
    return list(torch.autograd.grad(held(gates, after), alphas, materialize_grads=True))
