"""Pieces of images, one by one, by torchvision."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from cleave.data.crops import Boxes


def resized(pixels: Tensor, boxes: Boxes, mirrored: Tensor, side: int, resample: str) -> Tensor:
    """float64 [n, channels, side, side] of uint8 images."""
    found = []
    for image, top, left, height, width, flip in zip(pixels, *boxes[:4], mirrored, strict=True):
        mode = InterpolationMode(resample)
        box = [int(each) for each in (top, left, height, width)]
        piece = functional.resized_crop(image.double(), *box, [side, side], mode, antialias=True)
        found.append(piece.flip(-1) if flip else piece)
    return torch.stack(found)
