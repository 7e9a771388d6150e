"""What a sampler is: it draws the architectures of a weight step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from cleave.method.base import StepContext
from cleave.net import Gates, Network
from cleave.registry import Registry
from cleave.space import Arch, Region, Space


class Sampler(nn.Module, ABC):
    """Draws valid architectures of a region; all that it learns is in its state_dict.

    A new one is a class with `draw`, and `step` where what a step trains is not so many draws.
    """

    summed = False
    """Whether a step goes down the sum of the losses of its architectures, not their mean."""

    watches = False
    """Whether it goes by gradients (`learn`)."""

    def __init__(self, space: Space, region: Region) -> None:
        super().__init__()
        self.space, self.region = space, region

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """What it needs of a space that this one does not have, for people; None where it works on it."""
        return None

    decides = False
    """Whether it decides how many architectures a step trains, and not `method.paths`."""

    @classmethod
    def networks(cls, space: Space) -> int | None:
        """How many they are at most, where it decides it."""
        return None

    @abstractmethod
    def draw(self, context: StepContext) -> Arch:
        """An architecture as a step might train one, for a look: nothing of the sampler changes."""

    def step(self, paths: int, context: StepContext) -> list[Arch]:
        """The architectures of the next weight step: `paths` of them, unless the sampler decides how many."""
        return [self.draw(context) for _ in range(paths)]

    def learn(self, network: Network, gates: Gates, gradients: Mapping[nn.Parameter, Tensor]) -> None:
        """The gradients, before they are clipped, that one of the step's architectures gave to the weights it runs."""

    def inherit(self, parent: Mapping[str, Tensor], parent_region: Region) -> None:
        """Takes over the parent's learned state (its state_dict) where the region still holds it."""


SAMPLERS: Registry[type[Sampler]] = Registry("method.sampler")

SamplerClass = TypeVar("SamplerClass", bound=type[Sampler])


def sampler(name: str) -> Callable[[SamplerClass], SamplerClass]:
    """Registers a sampler under the name by which `method.sampler` asks for it."""
    return SAMPLERS.named(name)
