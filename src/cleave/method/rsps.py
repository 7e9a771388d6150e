"""RSPS, random search with parameter sharing (Li & Talwalkar, 2020): uniform single paths, then a sampled choice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Annotated, Literal

import torch
from pydantic import Field

from cleave.method.base import Evaluate, Method, StepContext, method
from cleave.method.evolution import Plan, evolved
from cleave.method.rejects import batches_seen, questions, ranked, survivor
from cleave.net import Gates, one_hot
from cleave.settings import MethodSettings, NotNegative, Positive
from cleave.space import Arch
from cleave.space.sample import distinct


class DerivingSettings(MethodSettings):
    """How methods derive an architecture that train single ones."""

    samples: Positive = 200  # architectures evaluated per leaf
    rejects: bool = True  # drop the worse half again and again, on ever more held-out images; false: all on all
    # What a leaf's architecture is the best of: `samples` that are drawn, or the generations of an evolution, of which
    # each architecture is evaluated on all held-out images.
    derive: Literal["samples", "evolution"] = "samples"
    population: Positive = 100  # architectures of a generation
    generations: NotNegative = 20  # after the first one, which is drawn
    parents: Annotated[float, Field(gt=0, le=1)] = 0.25  # share of a generation that is kept: the best of it
    mutants: Annotated[float, Field(ge=0, le=1)] = 0.5  # share of the new ones that have one parent; others have two
    mutation: Annotated[float, Field(gt=0, le=1)] = 0.1  # chance of each choice of a mutant to be drawn anew

    @property
    def evolution(self) -> Plan:
        """How an evolution goes."""
        return Plan(self.population, self.generations, self.parents, self.mutants, self.mutation)


class RspsSettings(DerivingSettings):
    """Random search with parameter sharing."""

    name: Literal["rsps"] = "rsps"
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    paths: Positive = 1  # architectures trained in a weight step, by the mean of their losses


@method(RspsSettings)
class Rsps(Method):
    """Every weight step trains one valid architecture of the region, drawn uniformly; the rest stands still."""

    single_path = True

    @classmethod
    def meaningless(cls, settings: DerivingSettings) -> Collection[str]:
        return ("samples", "rejects") if settings.derive == "evolution" else asdict(settings.evolution)

    @staticmethod
    def evaluated(settings: DerivingSettings, batches: int) -> int:
        if settings.derive == "evolution":
            return settings.evolution.most * batches
        return batches_seen(settings.samples, batches) if settings.rejects else settings.samples * batches

    @staticmethod
    def questions(settings: DerivingSettings, batches: int) -> int:
        if settings.derive == "evolution":
            return settings.evolution.most
        return questions(settings.samples, batches) if settings.rejects else settings.samples

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
        """The best on held-out images among `settings.samples` different valid architectures, or of an evolution; first
        wins ties."""
        if self.settings.derive == "evolution":
            return evolved(self.space, self.region, self.settings.evolution, evaluate, generator)
        candidates = distinct(self.space, self.region, self.settings.samples, generator)
        return survivor(candidates, evaluate) if self.settings.rejects else ranked(candidates, evaluate)[0]
