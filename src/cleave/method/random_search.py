"""Random search without weight sharing: the baseline that every other method has to beat at the same cost."""

from __future__ import annotations

import torch

from cleave.method.base import Evaluate
from cleave.method.rsps import Rsps
from cleave.settings import RandomSettings
from cleave.space import Arch
from cleave.space.sample import distinct


class RandomSearch(Rsps):
    """The best of some architectures of the leaf, each trained alone; where nodes are warmed up, single paths."""

    alone = True

    @staticmethod
    def evaluated(settings: RandomSettings, batches: int) -> int:  # type: ignore[override]
        assert settings.samples is not None, "resolved"
        return settings.samples * batches

    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        """The best; none is evaluated by halves, since what costs is to train it."""
        return max(distinct(self.space, self.region, self.settings.samples, generator), key=evaluate)
