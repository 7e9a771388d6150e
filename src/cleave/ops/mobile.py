"""What the blocks of MobileNets are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt

from torch import Tensor, nn

from cleave.ops.convolution import Conv2d
from cleave.ops.operation import Norm
from cleave.registry import Registry

ACTIVATIONS: Registry[Callable[[], nn.Module]] = Registry("activation")
"""Those of MobileNetV2 and V3, by the names that papers give them."""
ACTIVATIONS.register("relu6", partial(nn.ReLU6, inplace=True))
ACTIVATIONS.register("relu", partial(nn.ReLU, inplace=True))
ACTIVATIONS.register("h_swish", nn.Hardswish)


class Residual(nn.Module):
    """A block, beside its input where that has the same shape."""

    def __init__(self, body: nn.Sequential, shortcut: bool) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return x + out if self.shortcut else out


class Squeeze(nn.Module):
    """Squeeze-and-excitation (Hu et al., 2018) as in MobileNetV3: each channel times a share that all channels' means
    decide."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.reduce, self.expand = Conv2d(channels, middle, 1), Conv2d(middle, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        middle = self.reduce(x.mean(dim=(2, 3), keepdim=True)).relu()
        return x * nn.functional.hardsigmoid(self.expand(middle))


def keeps_shape(channels_in: int, channels_out: int, stride: int) -> bool:
    return (channels_in, stride) == (channels_out, 1)


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> Conv2d:
    """A convolution that keeps the size but for its stride, with the published initial weights."""
    conv = Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    if not conv.weight.is_meta:  # where it has no values torch only takes long to see that
        nn.init.normal_(conv.weight, std=sqrt(2 / (kernel * kernel * channels_out)))
    return conv


def activated(
    channels_in: int, channels_out: int, stride: int, norm: Norm, kernel: int, activation: str = "relu6"
) -> nn.Module:
    """What is in front of the blocks and behind them."""
    conv = convolution(channels_in, channels_out, kernel, stride)
    return nn.Sequential(conv, norm(channels_out), ACTIVATIONS.find(activation)())


def inverted(
    shape: tuple[int, int, int], middle: int, kernel: int, norm: Norm, activation: str = "relu6", squeeze: bool = False
) -> Residual:
    """An inverted residual block (Sandler et al., 2018): 1x1 to `middle` channels, depthwise, 1x1.

    `shape` is (channels in, channels out, stride). The first 1x1 is left out where it would keep the channels;
    `squeeze`: with squeeze-and-excitation behind the depthwise convolution.
    """
    channels_in, channels_out, stride = shape
    act = ACTIVATIONS.find(activation)
    layers: list[nn.Module] = []
    if middle != channels_in:
        layers += [convolution(channels_in, middle, 1), norm(middle), act()]
    layers += [convolution(middle, middle, kernel, stride, middle), norm(middle), act()]
    if squeeze:
        layers.append(Squeeze(middle, squeezed(middle)))
    layers += [convolution(middle, channels_out, 1), norm(channels_out)]
    return Residual(nn.Sequential(*layers), keeps_shape(*shape))


def squeezed(channels: int) -> int:
    """The middle channels of squeeze-and-excitation."""
    return whole(channels // 4)


def whole(channels: float) -> int:
    """The nearest multiple of 8, 8 or more, that is no more than a tenth below (Howard et al., MobileNets)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def stages(
    first: int, widths: Sequence[int], strides: Sequence[int], blocks: Sequence[int]
) -> list[tuple[int, int, int]]:
    """(channels in, channels out, stride) of the blocks of all stages in order; `first`: channels before them."""
    shapes, before = [], first
    for width, stride, count in zip(widths, strides, blocks, strict=True):
        shapes += [(before, width, stride), *[(width, width, 1)] * (count - 1)]
        before = width
    return shapes
