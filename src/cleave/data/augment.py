"""Augmentation and normalisation of whole batches, on the device where the images are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cleave.data.images import Images, central
from cleave.data.remembered import remembered

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""From uint8 [n, channels, size, size] to the same with another size, its numbers drawn from the generator."""


@dataclass(frozen=True)
class Chain:
    """One augmentation after another."""

    steps: tuple[Augmentation, ...]

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        for step in self.steps:
            pixels = step(pixels, generator)
        return pixels


@dataclass(frozen=True)
class Augment:
    """Random shifts by up to `padding` pixels into a zero border, and mirror images half of the time if `flip`.

    `view`: of the middle of images, so many pixels on a side; None: of all.
    """

    padding: int
    flip: bool = True
    view: int | None = None

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """A shifted and mirrored copy of uint8 [n, channels, height, width]; the numbers are drawn on the CPU."""
        pixels = central(pixels, self.view or pixels.shape[-1])
        count, _, height, width = pixels.shape
        rows, columns = (
            torch.randint(2 * self.padding + 1, (count, 1), generator=generator) + torch.arange(length)
            for length in (height, width)
        )
        if self.flip:
            mirrored = torch.rand(count, 1, generator=generator) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        return gather(functional.pad(pixels, [self.padding] * 4), rows, columns)


def gather(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Image i at its own rows [n, height] and columns [n, width], all in one indexing operation."""
    rows, columns = (index.to(pixels.device, non_blocking=True) for index in (rows, columns))
    image = torch.arange(len(pixels), device=pixels.device)
    picked = pixels[image[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def levels_of(pixels: Tensor) -> Tensor:
    """How often each of the 256 levels occurs in each channel of uint8 [n, channels, height, width]."""
    return torch.stack([torch.bincount(channel.int(), minlength=256) for channel in pixels.transpose(0, 1).flatten(1)])


@dataclass(frozen=True)
class Normalise:
    """Pixels 0 to 255 to zero mean and unit variance per channel; `mean` and `std` are [channels] of 0 to 1."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def of(images: Images) -> Normalise:
        """The statistics of a set of images (the training part: nothing else may be looked at)."""
        device = images.labels.device
        found = remembered("levels", [images], lambda: torch.stack([*map(levels_of, images.chunks())]).sum(0).tolist())
        counts = torch.tensor(found, dtype=torch.float64, device=device)
        levels = torch.arange(256, dtype=torch.float64, device=device) / 255
        share = counts / counts.sum(dim=1, keepdim=True)
        mean = share @ levels
        variance = (share * (levels - mean[:, None]).square()).sum(dim=1)
        return Normalise(mean.float(), variance.sqrt().clamp(min=1e-3).float())

    def __call__(self, pixels: Tensor) -> Tensor:
        """float32 [n, channels, height, width], contiguous."""
        shape = (1, -1, 1, 1)
        scaled = pixels.float().div(255).sub(self.mean.view(shape)).div(self.std.view(shape))
        return scaled.contiguous()
