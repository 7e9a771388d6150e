"""Pieces of random place and size: cut out and resized, all of a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import torch
from torch import Tensor

from cleave.data.decode import Resample

TRIES = 10
"""Draws of a size, of which the first counts that fits into the image."""
PIECE = 64
"""Images that are resized at once: bounds the memory."""


class Boxes(NamedTuple):
    """Pieces of square images, one of each; int64 [n]. `found`: where none fitted it is the whole image."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    found: Tensor


def draw_boxes(
    count: int, side: int, most: int, areas: tuple[float, float], ratio: float, generator: torch.Generator
) -> Boxes:
    """Boxes in images of `side` pixels, anywhere in them, at most `most` pixels high and wide.

    The share of the area is uniform in `areas`, the logarithm of width / height from -log(ratio) to log(ratio).
    """
    least, largest = areas
    shares = least + (largest - least) * draw((count, TRIES), generator)
    shapes = (log(ratio) * (2 * draw((count, TRIES), generator) - 1)).exp()
    heights, widths = (side * (shares / shapes).sqrt()).round(), (side * (shares * shapes).sqrt()).round()
    fits = (heights.minimum(widths) > 0) & (heights.maximum(widths) <= most)
    first, found = fits.int().argmax(dim=1, keepdim=True), fits.any(dim=1)
    height, width = (torch.where(found, each.gather(1, first)[:, 0], float(side)).long() for each in (heights, widths))
    top, left = (((side - each + 1) * draw((count,), generator)).long() for each in (height, width))
    return Boxes(top, left, height, width, found)


def draw(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform from 0 to 1; on the CPU, so that every device draws the same."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def triangle(x: Tensor) -> Tensor:
    """The kernel of bilinear resizing."""
    return (1 - x.abs()).clamp(min=0)


def cubic(x: Tensor) -> Tensor:
    """That of bicubic resizing with a = -1/2 (Keys, 1981), as Pillow has it."""
    x = x.abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


KERNELS: dict[Resample, Callable[[Tensor], Tensor]] = {"bilinear": triangle, "bicubic": cubic}


def shares_of(start: Tensor, length: Tensor, side: int, size: int, kernel: Callable[[Tensor], Tensor]) -> Tensor:
    """What each of `side` pixels takes of a line of `size`, whose `length` pixels from `start` on are resized.

    float32 [n, side, size]. Where the line gets shorter the kernel is as much wider (antialiasing), as in Pillow.
    """
    start, length = (each.double()[:, None, None] for each in (start, length))
    scale = length / side
    centres = start + scale * (torch.arange(side, device=start.device) + 0.5)[:, None]
    places = torch.arange(size, device=start.device) + 0.5
    weights = kernel((places - centres) / scale.clamp(min=1))
    weights = weights * ((places > start) & (places < start + length))
    return (weights / weights.sum(dim=2, keepdim=True)).float()


@dataclass(frozen=True)
class Crops:
    """Pieces resized to `side` pixels, mirrored half of the time if `flip` (Szegedy et al., 2015).

    `least`: the smallest share of the area. Heights and widths differ by 4/3 at most. As torchvision's
    RandomResizedCrop, which takes images one by one.
    """

    side: int
    least: float
    flip: bool = True
    resample: Resample = "bilinear"

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """uint8 [n, channels, side, side] of uint8 [n, channels, size, size]."""
        count, size = len(pixels), pixels.shape[-1]
        boxes = draw_boxes(count, size, size, (self.least, 1.0), 4 / 3, generator)
        mirrored = draw((count,), generator) < (0.5 if self.flip else 0.0)
        drawn = (boxes.top, boxes.height, boxes.left, boxes.width, mirrored)
        parts = (torch.split(each.to(pixels.device), PIECE) for each in (pixels, *drawn))
        pieces = zip(*parts, strict=True)
        return torch.cat([self._resized(*piece) for piece in pieces])

    def _resized(
        self, pixels: Tensor, top: Tensor, height: Tensor, left: Tensor, width: Tensor, mirrored: Tensor
    ) -> Tensor:
        size, kernel = pixels.shape[-1], KERNELS[self.resample]
        rows = shares_of(top, height, self.side, size, kernel)
        columns = shares_of(left, width, self.side, size, kernel)
        columns = torch.where(mirrored[:, None, None], columns.flip(1), columns)
        found = rows[:, None] @ pixels.float() @ columns.transpose(1, 2)[:, None]
        return found.round().clamp(0, 255).to(torch.uint8)
