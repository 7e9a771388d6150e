"""Which architectures the weight steps of single-path methods train (`method.sampler`), each kind one file."""

from cleave.method.samplers.balanced import Balanced
from cleave.method.samplers.base import SAMPLERS, Sampler, sampler
from cleave.method.samplers.fair import Fair
from cleave.method.samplers.importance import Importance
from cleave.method.samplers.one_change import OneChange
from cleave.method.samplers.uniform import Uniform

__all__ = [
    "SAMPLERS",
    "Balanced",
    "Fair",
    "Importance",
    "OneChange",
    "Sampler",
    "Uniform",
    "sampler",
]
