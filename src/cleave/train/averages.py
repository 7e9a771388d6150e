"""Exponential moving averages of weights in training (Polyak & Juditsky, 1992), by which they are then judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Averages:
    """`decay`: the share of the old average that is left after a step. What changes is in `values`."""

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        self.parameters, self.decay = dict(parameters), decay
        self.values = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    def update(self) -> None:
        """Takes the weights of now in."""
        now = [parameter.detach() for parameter in self.parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), now, 1 - self.decay)

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Goes back to averages of the same weights."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Meanwhile the weights are their averages."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self.parameters.items():
            now = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(now)
