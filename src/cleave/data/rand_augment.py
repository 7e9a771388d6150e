"""RandAugment as timm has it: random operations with random strengths, all images of a batch at once.

Cubuk et al., "RandAugment" (2020). What timm adds, and the ImageNet recipes of MobileNets use: each operation is left
out half of the time, and strengths are normal about the magnitude. timm takes Pillow's images one by one and draws from
three generators of the whole process; tests hold each operation to timm's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from cleave.data.colour import blended, enhancements
from cleave.data.crops import draw
from cleave.errors import UserError, shown

MOST = 10.0
"""The largest magnitude."""
NOTATION = re.compile(r"rand(?:-(?:m(?P<m>[\d.]+)|n(?P<n>\d+)|p(?P<p>[\d.]+)|mstd(?P<mstd>[\d.]+)|inc(?P<inc>[01])))*")
EXAMPLE = "rand-m9-mstd0.5"

Operation = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From uint8 images [k, channels, size, size], their strengths [k] from 0 to 1, their signs [k], -1 or 1."""


@dataclass(frozen=True)
class RandAugment:
    """`layers` operations on each image, each done with the probability `share`.

    `fill`: what comes in from outside, [channels] of 0 to 255. `increasing`: all operations get stronger with the
    magnitude; as published, some get weaker.
    """

    magnitude: float
    deviation: float
    fill: Sequence[float]
    layers: int = 2
    share: float = 0.5
    increasing: bool = False

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        known, shape = tuple(operations(self.fill, self.increasing).values()), (self.layers, len(pixels))
        which = torch.randint(len(known), shape, generator=generator)
        done = draw(shape, generator) < self.share
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        strengths = (self.magnitude + self.deviation * noise).clamp(0, MOST) / MOST
        signs = torch.where(draw(shape, generator) < 0.5, -1.0, 1.0)
        pixels = pixels.clone()
        for layer in range(self.layers):
            for number, operation in enumerate(known):
                here = ((which[layer] == number) & done[layer]).nonzero()[:, 0]
                if len(here):
                    there = here.to(pixels.device)
                    levels = (each[layer, here].to(pixels.device, torch.float32) for each in (strengths, signs))
                    pixels[there] = operation(pixels[there], *levels)
        return pixels


def parsed(text: str, fill: Sequence[float] = (), key: str = "training.auto_augment") -> RandAugment:
    """What timm's notation says: rand-m9-mstd0.5, and -n (layers), -p (share), -inc1. UserError for anything else."""
    found = NOTATION.fullmatch(text)
    if found is None:
        raise UserError(f"{key}: {shown(text)} is not of the form {EXAMPLE}, with -n2, -p0.5 or -inc1")
    try:
        told = {name: float(value) for name, value in found.groupdict().items() if value is not None}
    except ValueError as error:
        raise UserError(f"{key}: {shown(text)} has a number that is none, as in {EXAMPLE}") from error
    layers, share, increasing = int(told.get("n", 2)), told.get("p", 0.5), bool(told.get("inc", 0))
    return RandAugment(told.get("m", MOST), told.get("mstd", 0.0), tuple(fill), layers, share, increasing)


def operations(fill: Sequence[float], increasing: bool) -> dict[str, Operation]:
    """By timm's names, in its order."""
    from torchvision.transforms.v2 import functional  # not at the top: it is slow to import

    plain, factor = enhancements(), around_one if increasing else from_little
    enhanced = {name: partial(enhance, plain=plain[name], factor=factor) for name in plain}
    return {
        "AutoContrast": lambda pixels, level, sign: functional.autocontrast(pixels),
        "Equalize": lambda pixels, level, sign: functional.equalize(pixels),
        "Invert": lambda pixels, level, sign: functional.invert(pixels),
        "Rotate": partial(warp, matrix=rotation, fill=fill),
        "Posterize": partial(posterize, increasing=increasing),
        "Solarize": partial(solarize, increasing=increasing),
        "SolarizeAdd": solarize_add,
        "Color": enhanced["saturation"],
        "Contrast": enhanced["contrast"],
        "Brightness": enhanced["brightness"],
        "Sharpness": enhanced["sharpness"],
        "ShearX": partial(warp, matrix=shear_x, fill=fill),
        "ShearY": partial(warp, matrix=shear_y, fill=fill),
        "TranslateXRel": partial(warp, matrix=translate_x, fill=fill),
        "TranslateYRel": partial(warp, matrix=translate_y, fill=fill),
    }


def from_little(level: Tensor, sign: Tensor) -> Tensor:
    return 0.1 + 1.8 * level


def around_one(level: Tensor, sign: Tensor) -> Tensor:
    return (1 + 0.9 * level * sign).clamp(min=0.1)


def enhance(
    pixels: Tensor,
    level: Tensor,
    sign: Tensor,
    plain: Callable[[Tensor], Tensor],
    factor: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    return blended(pixels, plain(pixels), factor(level, sign))


def posterize(pixels: Tensor, level: Tensor, sign: Tensor, increasing: bool) -> Tensor:
    """Of eight bits 0 to 4 are kept."""
    bits = (4 * level).int()
    kept = 4 - bits if increasing else bits
    mask = (256 - 2 ** (8 - kept)).to(torch.uint8)
    return pixels & mask[:, None, None, None]


def solarize(pixels: Tensor, level: Tensor, sign: Tensor, increasing: bool) -> Tensor:
    """What is as bright as a threshold is inverted."""
    threshold = (256 * level).int()
    threshold = 256 - threshold if increasing else threshold
    return torch.where(pixels < threshold[:, None, None, None], pixels, 255 - pixels)


def solarize_add(pixels: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """The darker half gets brighter by up to 110."""
    brighter = (pixels.int() + (110 * level).int()[:, None, None, None]).clamp(max=255).to(torch.uint8)
    return torch.where(pixels < 128, brighter, pixels)


def warp(
    pixels: Tensor, level: Tensor, sign: Tensor, matrix: Callable[[Tensor], list[list[Tensor]]], fill: Sequence[float]
) -> Tensor:
    """Moved by what a matrix says of (x, y, 1), from -1 to 1 from one edge to the other: where each pixel is from."""
    rows = [torch.stack(row, dim=1) for row in matrix(sign * level)]
    grid = affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    outside = torch.tensor(fill, device=pixels.device, dtype=torch.float32)[:, None, None]
    moved = grid_sample(pixels.float() - outside, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return (moved + outside).round().clamp(0, 255).to(torch.uint8)


def rotation(level: Tensor) -> list[list[Tensor]]:
    """By up to 30 degrees."""
    angle, none = torch.deg2rad(30 * level), torch.zeros_like(level)
    return [[angle.cos(), -angle.sin(), none], [angle.sin(), angle.cos(), none]]


def shear_x(level: Tensor) -> list[list[Tensor]]:
    """By up to .3 of the height, from the upper edge on."""
    one, none, shear = torch.ones_like(level), torch.zeros_like(level), 0.3 * level
    return [[one, shear, shear], [none, one, none]]


def shear_y(level: Tensor) -> list[list[Tensor]]:
    one, none, shear = torch.ones_like(level), torch.zeros_like(level), 0.3 * level
    return [[one, none, none], [shear, one, shear]]


def translate_x(level: Tensor) -> list[list[Tensor]]:
    """By up to .45 of the width."""
    one, none = torch.ones_like(level), torch.zeros_like(level)
    return [[one, none, 0.9 * level], [none, one, none]]


def translate_y(level: Tensor) -> list[list[Tensor]]:
    one, none = torch.ones_like(level), torch.zeros_like(level)
    return [[one, none, none], [none, one, 0.9 * level]]
