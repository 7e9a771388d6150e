"""Every valid architecture as often as every other."""

from __future__ import annotations

from cleave.method.base import StepContext
from cleave.method.samplers.base import Sampler, sampler
from cleave.space import Arch


@sampler("uniform")
class Uniform(Sampler):
    """The usual one (Li & Talwalkar, 2020)."""

    def draw(self, context: StepContext) -> Arch:
        return self.space.sample(self.region, context.generator)
