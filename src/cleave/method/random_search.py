"""Random search without weight sharing: the baseline that every other method has to beat at the same cost."""

from __future__ import annotations

from cleave.method.rsps import Rsps
from cleave.settings import RandomSettings


class RandomSearch(Rsps):
    """The best of some architectures of the leaf, each trained alone; where nodes are warmed up, single paths."""

    alone = True

    @staticmethod
    def evaluations(settings: RandomSettings) -> int:  # type: ignore[override]
        assert settings.samples is not None, "resolved"
        return settings.samples
