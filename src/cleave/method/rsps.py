"""RSPS, random search with parameter sharing (Li & Talwalkar, 2020): uniform single paths, then a sampled choice."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from cleave.method.base import Evaluate, Method, StepContext, method
from cleave.method.rejects import batches_seen, survivor
from cleave.net import Gates, one_hot
from cleave.settings import MethodSettings, Positive
from cleave.space import Arch
from cleave.space.sample import distinct


class RspsSettings(MethodSettings):
    """Random search with parameter sharing."""

    name: Literal["rsps"] = "rsps"
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    samples: Positive = 200  # architectures evaluated per leaf
    paths: Positive = 1  # architectures trained in a weight step, by the mean of their losses
    rejects: bool = True  # drop the worse half again and again, on ever more held-out images; false: all on all


@method(RspsSettings)
class Rsps(Method):
    """Every weight step trains one valid architecture of the region, drawn uniformly; the rest stands still."""

    single_path = True

    @staticmethod
    def evaluated(settings: RspsSettings, batches: int) -> int:
        return batches_seen(settings.samples, batches) if settings.rejects else settings.samples * batches

    @staticmethod
    def paths_each(settings: RspsSettings) -> int:
        return settings.paths

    def paths(self, context: StepContext) -> list[Gates]:
        return [self.gates(context) for _ in range(1 if self.region.size == 1 else self.paths_each(self.settings))]

    def gates(self, context: StepContext) -> Gates:
        return one_hot(self.space.sample(self.region, context.generator))

    def probe(self, context: StepContext) -> Gates:
        """One that leaves out nothing of which candidates may be compared."""
        return one_hot(self.space.completed(self.space.sample(self.region, context.generator), self.region))

    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        """The best on held-out images among `settings.samples` different valid architectures; first wins ties."""
        candidates = distinct(self.space, self.region, self.settings.samples, generator)
        return survivor(candidates, evaluate) if self.settings.rejects else max(candidates, key=evaluate)
