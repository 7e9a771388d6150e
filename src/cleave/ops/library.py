"""The operations that every space may use, and their modules."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from cleave.ops.convolution import Conv2d
from cleave.ops.operation import Norm, operation
from cleave.ops.steps import EvenAndOdd, Step, taken


def relu_conv_bn(channels_in: int, channels_out: int, stride: int, norm: Norm, kernel: int) -> nn.Sequential:
    """ReLU, convolution without bias, batch norm: the order of NAS-Bench-201 and DARTS."""
    conv = Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, norm(channels_out))


class Zero(nn.Module):
    """No connection: zeros of the right shape."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        return zeros(x, self.channels, self.stride)


def zeros(x: Tensor, channels: int, stride: int) -> Tensor:
    """Zeros of the shape that a convolution of `x` has."""
    height, width = (-(-side // stride) for side in x.shape[-2:])
    count = x.shape[0]  # not len(x), by which torch.export takes the number of images for a constant
    return x.new_zeros(count, channels, height, width).contiguous(memory_format=torch.channels_last)


class AveragePool(nn.Module):
    """Mean over the 3x3 neighbours inside the image: `AvgPool2d(3, stride, 1, count_include_pad=False)`.

    Written as a depthwise convolution of ones over the number of neighbours, which on a CPU takes a fraction of
    the time of torch's own pooling.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        neighbours, sums = self._sum(x.new_ones(1, 1, *x.shape[-2:]), 1), self._sum(x, channels)
        return sums * neighbours.reciprocal().to(sums.dtype)  # under autocast a reciprocal is float32

    def _sum(self, x: Tensor, channels: int) -> Tensor:
        ones, by, around, each = x.new_ones(channels, 1, 3, 3), [self.stride] * 2, [1, 1], [1, 1]
        # Not conv2d: cleave.net.count counts the work of those, and a pooling counts as none.
        return torch.convolution(x, ones, None, by, around, each, False, [0, 0], channels)


class MaxPool(nn.Module):
    """The largest of the 3x3 neighbours inside the image: `MaxPool2d(3, stride, 1)`.

    Without gradients at stride 1 by comparing shifted images, which on a CPU takes a quarter of the time.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1 or (x.requires_grad and torch.is_grad_enabled()):
            return max_pool2d(x, 3, self.stride, padding=1)
        return larger_neighbour(larger_neighbour(x, 2), 3)


def larger_neighbour(x: Tensor, dim: int) -> Tensor:
    """Everywhere the largest of a pixel and the ones before and after it along a dimension."""
    result = x.clone(memory_format=torch.preserve_format)
    inner = x.shape[dim] - 1
    for into, source in ((1, 0), (0, 1)):
        part = result.narrow(dim, into, inner)
        torch.maximum(part, x.narrow(dim, source, inner), out=part)
    return result


class Halving(nn.Module):
    """Half the size by two 1x1 convolutions, of the even and of the odd pixels."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        half = channels_out // 2
        self.even = Conv2d(channels_in, half, 1, bias=False)
        self.odd = Conv2d(channels_in, channels_out - half, 1, bias=False)

    def steps(self, x: Tensor) -> tuple[Step, ...]:
        return (EvenAndOdd(),)

    def forward(self, x: Tensor, begun: Tensor | None = None) -> Tensor:
        """`begun`: what the steps came to, where that is known."""
        even, odd = (taken(self.steps(x), x) if begun is None else begun).chunk(2)
        return torch.cat([self.even(even), self.odd(odd)], dim=1)


class ResidualBlock(nn.Module):
    """The reduction of NAS-Bench-201: two convolutions beside a pooled 1x1 shortcut (Dong & Yang, 2020)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: Norm) -> None:
        super().__init__()
        assert stride == 2, "the residual block halves its input"
        self.body = nn.Sequential(
            relu_conv_bn(channels_in, channels_out, stride, norm, 3),
            relu_conv_bn(channels_out, channels_out, 1, norm, 3),
        )
        # The published shortcut floors; rounding up as the convolution does lets odd sizes through.
        pool = nn.AvgPool2d(2, stride=2, ceil_mode=True)
        self.shortcut = nn.Sequential(pool, Conv2d(channels_in, channels_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


def factorized_reduce(channels_in: int, channels_out: int, norm: Norm) -> nn.Sequential:
    """ReLU, half the size, batch norm: what a skip connection is that halves, in DARTS."""
    return nn.Sequential(nn.ReLU(), Halving(channels_in, channels_out), norm(channels_out))


def depthwise_bn(
    channels_in: int, channels_out: int, stride: int, norm: Norm, kernel: int, dilation: int = 1
) -> nn.Sequential:
    """ReLU, a convolution of every channel by itself, a 1x1 convolution, batch norm."""
    reach = dilation * (kernel // 2)
    each = Conv2d(channels_in, channels_in, kernel, stride, reach, dilation, groups=channels_in, bias=False)
    return nn.Sequential(nn.ReLU(), each, Conv2d(channels_in, channels_out, 1, bias=False), norm(channels_out))


def separable(channels_in: int, channels_out: int, stride: int, norm: Norm, kernel: int) -> nn.Sequential:
    """Twice the same, of which the first may halve the size: the separable convolution of DARTS."""
    first = depthwise_bn(channels_in, channels_in, stride, norm, kernel)
    return nn.Sequential(*first, *depthwise_bn(channels_in, channels_out, 1, norm, kernel))


@operation("none", zero=True)
def _none(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return Zero(channels_out, stride)


@operation("skip_connect", identity=True)
def _skip(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    assert (channels_in, stride) == (channels_out, 1), "skip_connect keeps the shape"
    return nn.Identity()


@operation("avg_pool_3x3")
def _avg_pool(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    assert channels_in == channels_out, "avg_pool_3x3 keeps the channels"
    return AveragePool(stride)


@operation("max_pool_3x3")
def _max_pool(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """Pooling and batch norm, as in the search phase of DARTS."""
    assert channels_in == channels_out, "max_pool_3x3 keeps the channels"
    return nn.Sequential(MaxPool(stride), norm(channels_out))


@operation("conv_3x3_bn")
def _stem(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    conv = Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, norm(channels_out))


@operation("bn_relu")
def _bn_relu(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Sequential(norm(channels_out), nn.ReLU())


operation("nor_conv_1x1")(partial(relu_conv_bn, kernel=1))
operation("nor_conv_3x3")(partial(relu_conv_bn, kernel=3))
operation("sep_conv_3x3")(partial(separable, kernel=3))
operation("sep_conv_5x5")(partial(separable, kernel=5))
operation("dil_conv_5x5")(partial(depthwise_bn, kernel=5, dilation=2))
operation("residual_block")(ResidualBlock)
