"""How convolutions may begin: functions of their input alone, which those of one input can share.

Each is a value: equal steps do the same. A module that begins with some (`Conv2d`, `Halving`) has `steps(x)`, what it
does to `x` first, and takes what they came to beside `x`, where that is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import pad

Pair = tuple[int, ...]


class Step(ABC):
    """A function of images [n, channels, height, width]."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor: ...


def taken(steps: Sequence[Step], x: Tensor) -> Tensor:
    """What steps come to, one after the other."""
    return reduce(lambda value, step: step(value), steps, x)


@dataclass(frozen=True)
class Edges(Step):
    """Zeros around the images: so many rows and columns on each side."""

    widths: Pair

    def __call__(self, x: Tensor) -> Tensor:
        rows, columns = self.widths
        return pad(x, (columns, columns, rows, rows))


@dataclass(frozen=True)
class Every(Step):
    """Every so many rows and columns, in memory of their own."""

    stride: Pair

    def __call__(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride[0], :: self.stride[1]].contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Phases(Step):
    """x[:, :, i::rows, j::columns] for all i and j, as images of their own: [phases * n, channels, ...]."""

    dilation: Pair

    def __call__(self, x: Tensor) -> Tensor:
        (rows, columns), (n, channels, height, width) = self.dilation, x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n, height // rows, rows, width // columns, columns, channels)
        phases = pixels.permute(2, 4, 0, 1, 3, 5).reshape(-1, height // rows, width // columns, channels)
        return phases.permute(0, 3, 1, 2)

    def back(self, x: Tensor) -> Tensor:
        """From phases to images."""
        (rows, columns), (_, channels, height, width) = self.dilation, x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(rows, columns, -1, height, width, channels)
        images = pixels.permute(2, 3, 0, 4, 1, 5).reshape(-1, height * rows, width * columns, channels)
        return images.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class EvenAndOdd(Step):
    """The pixels of even rows and columns, then those of odd ones: [2n, channels, half of each side, rounded up]."""

    def __call__(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        even = pad(x, (0, width % 2, 0, height % 2))  # a row and a column more where sizes are odd
        return torch.cat([x[:, :, ::2, ::2], even[:, :, 1::2, 1::2]])
