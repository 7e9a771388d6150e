"""Random search without weight sharing: the baseline that every other method has to beat at the same cost."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import torch

from cleave.errors import UserError
from cleave.method.base import Evaluate, method
from cleave.method.rsps import Rsps
from cleave.settings import MethodSettings, Positive
from cleave.space import Arch
from cleave.space.sample import distinct


class RandomSettings(MethodSettings):
    """Random search: architectures of the leaf trained one after the other, alone; the best one is taken."""

    name: Literal["random"] = "random"
    epochs_each: Positive = 1  # that an architecture is trained for
    samples: Positive | None = None  # architectures per leaf; null: as many as search.epochs allows


@method(RandomSettings)
class RandomSearch(Rsps):
    """The best of some architectures of the leaf, each trained alone; where nodes are warmed up, single paths."""

    alone = True

    @classmethod
    def meaningless(cls, settings: RandomSettings) -> Collection[str]:  # type: ignore[override]
        return ()

    @staticmethod
    def paths_each(settings: RandomSettings) -> int:  # type: ignore[override]
        return 1  # where nodes are warmed up

    @classmethod
    def resolved(cls, settings: RandomSettings, epochs: int) -> RandomSettings:
        """As many samples as a leaf's epochs pay for, unless their number is given."""
        if settings.samples is not None:
            return settings
        each = settings.epochs_each
        if each > epochs:
            raise UserError(f"method.epochs_each={each}: more than search.epochs={epochs}, which pays for it")
        return settings.model_copy(update={"samples": epochs // each})

    @staticmethod
    def epochs_each(settings: RandomSettings) -> int:
        return settings.epochs_each

    @staticmethod
    def evaluated(settings: RandomSettings, batches: int) -> int:  # type: ignore[override]
        assert settings.samples is not None, "resolved"
        return settings.samples * batches

    @staticmethod
    def questions(settings: RandomSettings, batches: int) -> int:  # type: ignore[override]
        assert settings.samples is not None, "resolved"
        return settings.samples

    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        """The best; none is evaluated by halves, since what costs is to train it."""
        return max(distinct(self.space, self.region, self.settings.samples, generator), key=evaluate)
