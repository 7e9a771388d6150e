"""RSPS, random search with parameter sharing (Li & Talwalkar, 2020): uniform single paths, then a sampled choice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from cleave.method.base import Evaluate, Method, StepContext, method
from cleave.method.evolution import Plan, evolved
from cleave.method.rejects import batches_seen, questions, ranked, survivor
from cleave.method.samplers import SAMPLERS, Sampler, Uniform
from cleave.net import Gates, Network, one_hot
from cleave.registry import known_name
from cleave.settings import MethodSettings, NotNegative, Positive
from cleave.space import Arch, Region, Space
from cleave.space.sample import distinct

SamplerName = Annotated[str, BeforeValidator(partial(known_name, "cleave.method.samplers:SAMPLERS"))]
LEARNED = "sampler."
"""Before the names of what a sampler learns, in a method's state_dict."""


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
    # Which architectures weight steps train. uniform: all alike; balanced: groups alike (Efficient Few-Shot NAS); fair:
    # each candidate once in every step (FairNAS); importance: those with larger gradients more often (PA&DA);
    # one-change: each a neighbour of the one before (MAGIC-T).
    sampler: SamplerName = "uniform"


@method(RspsSettings)
class Rsps(Method):
    """Every weight step trains one valid architecture of the region, as its sampler draws it; the rest stands still."""

    single_path = True

    def __init__(self, settings: Any, space: Space, region: Region, generator: torch.Generator) -> None:  # noqa: ANN401
        super().__init__(settings, space, region, generator)
        _, kind = sampler_of(type(self), settings)
        self.sampler = kind(space, region) if region.size > 1 else Uniform(space, region)

    @classmethod
    def meaningless(cls, settings: DerivingSettings) -> Collection[str]:
        unused = ("samples", "rejects") if settings.derive == "evolution" else tuple(asdict(settings.evolution))
        return (*unused, "paths") if sampler_of(cls, settings)[1].decides else unused

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

    @classmethod
    def networks_each(cls, settings: Any, space: Space) -> int:  # noqa: ANN401
        return sampler_of(cls, settings)[1].networks(space) or cls.paths_each(settings)

    @property
    def summed(self) -> bool:
        return self.sampler.summed

    @property
    def watches(self) -> bool:
        return self.sampler.watches

    def watch(self, network: Network, gates: Gates, gradients: Mapping[nn.Parameter, Tensor]) -> None:
        self.sampler.learn(network, gates, gradients)

    def paths(self, context: StepContext) -> list[Gates]:
        paths = 1 if self.region.size == 1 else self.paths_each(self.settings)
        if type(self.sampler).step is Sampler.step:  # each is a draw, which a method of one's own may do otherwise
            return [self.gates(context) for _ in range(paths)]
        return [one_hot(arch) for arch in self.sampler.step(paths, context)]

    def gates(self, context: StepContext) -> Gates:
        return one_hot(self.sampler.draw(context))

    def probe(self, context: StepContext) -> Gates:
        """One that leaves out nothing of which candidates may be compared."""
        return one_hot(self.space.completed(self.sampler.draw(context), self.region))

    def inherit(self, parent: Mapping[str, Tensor], parent_region: Region) -> None:
        """What a sampler of the same kind has learned."""
        learned = {name.removeprefix(LEARNED): each for name, each in parent.items() if name.startswith(LEARNED)}
        if learned:
            self.sampler.inherit(learned, parent_region)

    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        """The best on held-out images among `settings.samples` different valid architectures, or of an evolution; first
        wins ties."""
        if self.settings.derive == "evolution":
            return evolved(self.space, self.region, self.settings.evolution, evaluate, generator)
        candidates = distinct(self.space, self.region, self.settings.samples, generator)
        return survivor(candidates, evaluate) if self.settings.rejects else ranked(candidates, evaluate)[0]


def sampler_of(method: type[Method], settings: Any) -> tuple[str, type[Sampler]]:  # noqa: ANN401
    """The sampler of a method, with its name; the usual one where it has no such key."""
    name: str = settings.sampler if issubclass(method, Rsps) and hasattr(settings, "sampler") else "uniform"
    return name, SAMPLERS[name]
