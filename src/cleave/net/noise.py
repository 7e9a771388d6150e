"""What is dropped in training: paths of single images, and channels of the head. Nothing is outside of `noisy`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from cleave.data.chance import Chance

if TYPE_CHECKING:
    from cleave.net.network import Network


class Part(NamedTuple):
    """Where the images of a pass stand in the batch that they are a part of."""

    first: int
    whole: int
    """Images of the batch."""


class Masked(nn.Module):
    """Hands on what it gets, unless a mask was drawn: then what is dropped is zero, and the rest is larger for it.

    `shape` is that of one image's mask; it has as many dimensions as what goes in. `rate`: the share that is dropped
    where `noisy` says no other.
    """

    kind: str
    """By which `noisy` gives rates."""

    def __init__(self, shape: tuple[int, ...], rate: float = 0.0) -> None:
        super().__init__()
        self.shape, self.rate, self.keep = shape, rate, 1.0
        self.mask: Tensor | None = None

    def draw(
        self, images: int, rate: float, generator: torch.Generator, device: torch.device, part: Part | None = None
    ) -> None:
        """A mask for a pass of `images` images, which may be a part of a batch; none where nothing is dropped."""
        self.keep = 1 - rate
        first, whole = part or (0, images)
        drawn = torch.rand(whole, *self.shape, generator=generator) < self.keep
        self.mask = drawn[first : first + images].to(device) if rate else None

    def forward(self, x: Tensor) -> Tensor:
        return x if self.mask is None else x * (self.mask.to(x.dtype) / self.keep)


class DropPath(Masked):
    """Drops all that some images have on a path (Larsson et al., "FractalNet", 2017), as DARTS does in retraining."""

    kind = "drop_path"

    def __init__(self) -> None:
        super().__init__((1, 1, 1))


class Dropout(Masked):
    """Drops single channels of a pooled image (Srivastava et al., 2014)."""

    kind = "dropout"

    def __init__(self, channels: int, rate: float) -> None:
        super().__init__((channels,), rate)


@dataclass(frozen=True)
class Noise:
    """Where and how much is dropped, and the generator that every pass takes one number from."""

    places: dict[str, Masked]
    rates: dict[str, float]
    generator: torch.Generator
    part: Part | None = None

    def draw(self, images: int, device: torch.device) -> None:
        """The masks of a pass, each a function of that number and the name of its place, whatever other places there
        are: so a supernet under an architecture drops what the network of its own drops."""
        number = int(torch.randint(2**62, (), generator=self.generator))
        for name, place in self.places.items():
            rate = self.rates.get(place.kind, place.rate)
            generator = Chance(number, name).generator(place.kind)
            place.draw(images, rate, generator, device, self.part)


@contextmanager
def noisy(
    network: Network,
    generator: torch.Generator,
    drop_path: float = 0.0,
    dropout: float | None = None,
    part: Part | None = None,
) -> Iterator[None]:
    """Meanwhile each pass of a network drops paths of its cells, and channels of its head, by new masks.

    `drop_path` and `dropout` are the shares that are dropped; None: as the layout's head says. Equal generators give
    equal masks, and nothing of them is in the network's state: a training that takes `chance.generator("noise", step)`
    goes on exactly. `part`: a pass sees that part of a batch, and what is dropped is as if it saw all of it. ValueError
    for a rate that is not from 0 to below 1.
    """
    rates = {"drop_path": drop_path} | ({} if dropout is None else {"dropout": dropout})
    for kind, rate in rates.items():
        if not 0 <= rate < 1:
            raise ValueError(f"{kind}={rate}: is the share that is dropped; give 0 or more, and less than 1")
    places = {name: module for name, module in network.named_modules() if isinstance(module, Masked)}
    network.noise = Noise(places, rates, generator, part)
    try:
        yield
    finally:
        network.noise = None
        for place in places.values():
            place.mask = None
