"""What moves weights, as data: a Trainer makes its optimiser of one of these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from cleave.train.eager import SGD, eager


class Optimiser(Protocol):
    """`clip`: the largest length of the gradient of all weights; None: any."""

    @property
    def clip(self) -> float | None: ...

    def optimizer(self, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
        """torch's, with its learning rate."""


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent.

    spares: whether weights with one dimension, those of normalisations and biases, are not decayed.
    """

    momentum: float
    weight_decay: float
    nesterov: bool = False
    clip: float | None = None
    spares: bool = False

    def optimizer(self, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.SGD:
        return SGD(
            groups(parameters, self.spares),
            lr=rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )


@dataclass(frozen=True)
class RmsProp:
    """RMSprop as in TensorFlow: eps within the root, mean squares that begin as 1, momentum that holds learning rates.

    timm's, from the extra `train`. The others as of `Sgd`.
    """

    momentum: float
    weight_decay: float
    alpha: float
    eps: float
    clip: float | None = None
    spares: bool = False

    def optimizer(self, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
        from timm.optim import RMSpropTF  # not at the top: of an extra

        made: torch.optim.Optimizer = eager(RMSpropTF)(
            groups(parameters, self.spares),
            lr=rate,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
        return made


def groups(parameters: Iterable[nn.Parameter], spares: bool) -> list[dict[str, Any]]:
    """One, unless some weights are spared decay."""
    weights = list(parameters)
    if not spares:
        return [{"params": weights}]
    return [
        {"params": [weight for weight in weights if weight.dim() > 1]},
        {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
    ]
