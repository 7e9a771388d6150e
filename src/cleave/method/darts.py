"""DARTS, first order (Liu et al. 2019): a softmax mixture of the allowed candidates, learned on held-out batches."""

from __future__ import annotations

from cleave.method.architecture import ArchitectureMethod
from cleave.method.base import Turn, gates_from
from cleave.net import Gates


class Darts(ArchitectureMethod):
    """The softmax of alpha weighs the candidates' outputs."""

    def mixture(self, turn: Turn) -> Gates:
        return gates_from(self.strengths(), self.region)
