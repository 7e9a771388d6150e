"""Brightness, saturation and the like, with a strength of its own for each image of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cleave.data.crops import draw

Plain = Callable[[Tensor], Tensor]
"""Images [n, channels, height, width] without what is enhanced: black ones, grey ones and so on."""


def blended(pixels: Tensor, plain: Tensor, factor: Tensor) -> Tensor:
    """Images between `plain` (a factor of 0) and `pixels` (1), or beyond; uint8, `factor` is [n]."""
    start = plain.float()
    mixed = start + factor.to(start)[:, None, None, None] * (pixels.float() - start)
    return mixed.round().clamp(0, 255).to(torch.uint8)


def enhancements() -> dict[str, Plain]:
    """What is left of images where none of it is left, as Pillow and torchvision have it."""
    from torchvision.transforms.v2 import functional  # not at the top: it is slow to import

    return {
        "brightness": torch.zeros_like,
        "saturation": partial(functional.adjust_saturation, saturation_factor=0.0),
        "contrast": partial(functional.adjust_contrast, contrast_factor=0.0),
        "sharpness": partial(functional.adjust_sharpness, sharpness_factor=0.0),
    }


@dataclass(frozen=True)
class Colour:
    """Brightness and saturation, each times 1 - `strength` to 1 + `strength`, in either order (Howard, 2013)."""

    brightness: float
    saturation: float

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        count, plain = len(pixels), enhancements()
        bright, saturated = (
            1 + strength * (2 * draw((count,), generator) - 1) for strength in (self.brightness, self.saturation)
        )
        first = draw((count,), generator) < 0.5
        for name, factor in (
            ("brightness", torch.where(first, bright, 1.0)),
            ("saturation", saturated),
            ("brightness", torch.where(first, 1.0, bright)),
        ):
            pixels = blended(pixels, plain[name](pixels), factor)
        return pixels
