"""The network as it is handed over: pixels of any size in, probabilities and logits out."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleave.data.decode import Resample
from cleave.errors import UserError
from cleave.export.alone import prepared
from cleave.net.chosen import ChosenNetwork
from cleave.ops import Conv2d
from cleave.ops.library import AveragePool, Halving, MaxPool
from cleave.train.statistics import normalisations

INPUT, OUTPUTS = "images", ("probabilities", "logits")
"""The names of what goes in and comes out."""


@dataclass(frozen=True)
class Pixels:
    """How images come to what a network sees: at `size` pixels on a side, of which it sees the middle `view`."""

    channels: int
    size: int
    view: int
    resample: Resample = "bilinear"


class Deployed(nn.Module):
    """Preparation, normalisation, network and softmax in one."""

    def __init__(self, network: ChosenNetwork, pixels: Pixels) -> None:
        super().__init__()
        self.network, self.pixels = network, pixels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(probabilities, logits), each [n, classes], of images uint8 [n, channels, height, width] of any size."""
        pixels = self.pixels
        logits = self.network(prepared(images, pixels.size, pixels.view, pixels.resample) / 255)
        return logits.softmax(dim=1), logits


def check_alone(network: nn.Module, whose: str) -> None:
    """UserError where answers would hang on the images that come beside one."""
    if any(not norm.track_running_stats for norm in normalisations(network)):
        raise UserError(
            f"{whose}: its networks normalise by the batch in use too, so that an answer hangs on the images beside "
            "it; have its operations normalise as they are told (cleave.Norm), then train again"
        )


def torchs_own(conv: nn.Conv2d) -> nn.Conv2d:
    """The same layer with torch's forward: what is special about ours are gradients."""
    conv.__class__ = nn.Conv2d
    return conv


class Halved(nn.Module):
    """`Halving` without what convolutions of one input could share."""

    def __init__(self, halving: Halving) -> None:
        super().__init__()
        self.even, self.odd = halving.even, halving.odd

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = functional.pad(x, (0, width % 2, 0, height % 2)) if width % 2 or height % 2 else x
        return torch.cat([self.even(x[:, :, ::2, ::2]), self.odd(padded[:, :, 1::2, 1::2])], dim=1)


TWINS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    Conv2d: torchs_own,
    AveragePool: lambda pool: nn.AvgPool2d(3, pool.stride, padding=1, count_include_pad=False),
    MaxPool: lambda pool: nn.MaxPool2d(3, pool.stride, padding=1),
    Halving: Halved,
}
"""Layers of ours that are made for training on CPUs, and what does the same plainly."""


def in_torchs_layers(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same, plainly, with layers of torch's own where there are such."""
    copy = deepcopy(module).eval().requires_grad_(False)
    for name, each in list(copy.named_modules()):
        if (twin := TWINS.get(type(each))) is not None:
            copy.set_submodule(name, twin(each))
    return copy


def some_images(pixels: Pixels) -> Tensor:
    """Images to trace with, whose sizes are nothing special."""
    return torch.zeros(2, pixels.channels, pixels.size + 8, pixels.size + 18, dtype=torch.uint8)
