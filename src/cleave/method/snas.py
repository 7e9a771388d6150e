"""SNAS (Xie et al. 2019): every step runs a soft sample of the candidates, ever harder as the search goes on."""

from __future__ import annotations

from typing import Literal

from cleave.method.architecture import ArchitectureMethod
from cleave.method.base import StepContext, gates_from, method
from cleave.method.gumbel import GumbelSettings, relaxed
from cleave.net import Gates


class SnasSettings(GumbelSettings):
    """SNAS: soft samples."""

    name: Literal["snas"] = "snas"


@method(SnasSettings)
class Snas(ArchitectureMethod):
    """Gumbel-softmax weights over the allowed candidates; alpha is learned on held-out batches.

    As GM-NAS runs it (its released code): bi-level, where SNAS learned alpha and weights from one loss; alpha is
    drawn from N(1, 0.01), 0.01 taken for the standard deviation.
    """

    initial = (1.0, 0.01)

    def mixture(self, context: StepContext) -> Gates:
        return gates_from(relaxed(self.alpha, self.settings, context), self.region)
