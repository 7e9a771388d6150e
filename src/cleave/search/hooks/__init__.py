"""What weight steps of a search do otherwise (`search.hooks`), each kind one file."""

from cleave.search.hooks.base import HOOKS, Gradients, Hook, WeightStep, hook
from cleave.search.hooks.complexity_rate import ComplexityRate
from cleave.search.hooks.gradient_projection import GradientProjection
from cleave.search.hooks.momentum_separation import MomentumSeparation

__all__ = [
    "HOOKS",
    "ComplexityRate",
    "GradientProjection",
    "Gradients",
    "Hook",
    "MomentumSeparation",
    "WeightStep",
    "hook",
]
