"""What is done to pixels before a network sees them. Needs torch alone: `model.py` has the source of these functions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def square(images: Tensor) -> Tensor:
    """The middle of images [n, channels, height, width] of any size."""
    height, width = images.shape[2:]
    side = torch.sym_min(height, width)
    rows, columns = ((length - side) // 2 + torch.arange(side, device=images.device) for length in (height, width))
    return images[:, :, rows][:, :, :, columns]


def prepared(images: Tensor, size: int, view: int, resample: str) -> Tensor:
    """Pixels as in training, floats from 0 to 255: the middle at `size` pixels on a side, and of that `view` of them.

    Images of `size` x `size` pixels stay as they are.
    """
    sized = functional.interpolate(
        square(images).float(), (size, size), mode=resample, align_corners=False, antialias=True
    )
    edge = (size - view) // 2
    return sized.round().clamp(0, 255)[:, :, edge : edge + view, edge : edge + view]
