"""The size of images and networks of a design, and what their steps take here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

IMAGENET_SIDE = 64
"""Pixels on a side from which images are halved as often as ImageNet's, and pretrained weights mean something."""


class Scale(NamedTuple):
    """Pixels on a side, and a factor of all channels."""

    side: int
    width: float

    @property
    def stem(self) -> str:
        """Which one of the space's suits it."""
        return "imagenet" if self.side >= IMAGENET_SIDE else "cifar"


@dataclass(frozen=True)
class ChosenScale:
    """One that was timed. `native`: sides that images have; `channels`: of a recipe, `image_channels`: of an image.

    Seconds are of an epoch of the supernet, of what its search does once, and of judging one architecture. `train` and
    `held_out` are images.
    """

    side: int
    width: float
    native: int
    batch_size: int
    epoch_seconds: float
    fixed_seconds: float
    arch_seconds: float
    pretrained: bool
    channels: int | None
    image_channels: int
    train: int
    held_out: int
    classes: int

    @property
    def scale(self) -> Scale:
        return Scale(self.side, self.width)

    @property
    def image(self) -> tuple[int, int, int]:
        """Of an image: channels, height, width."""
        return self.image_channels, self.side, self.side

    def epochs(self, seconds: float) -> int:
        """Of the supernet, in about so many seconds with all that its search does."""
        return int((seconds - self.fixed_seconds) / self.epoch_seconds)
