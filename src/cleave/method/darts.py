"""DARTS, first order (Liu et al. 2019): a softmax mixture of the allowed candidates, learned on held-out batches."""

from __future__ import annotations

from typing import Literal

from cleave.method.architecture import ArchitectureMethod, ArchitectureSettings
from cleave.method.base import StepContext, gates_from, method
from cleave.net import Gates


class DartsSettings(ArchitectureSettings):
    """DARTS, first order."""

    name: Literal["darts"] = "darts"


@method(DartsSettings, "darts-1st", "darts-v1")
class Darts(ArchitectureMethod):
    """The softmax of alpha weighs the candidates' outputs."""

    def mixture(self, context: StepContext) -> Gates:
        return gates_from(self.architecture_weights(), self.region)
