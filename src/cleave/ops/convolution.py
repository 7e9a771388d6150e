"""The form in which a convolution reaches torch: one function decides it, by the shape."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

Pair = tuple[int, ...]
ONE: Pair = (1, 1)
NONE: Pair = (0, 0)
BY_SHAPE = ("cpu", "meta")
"""Devices with forms of their own; on the latter a plan counts what a CPU keeps."""


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = ONE,
    padding: Pair | str = NONE,
    dilation: Pair = ONE,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv2d` of `x` [n, channels, height, width], in the form that is safe and fast.

    - Where only every so many pixels are ever read, it is taken as one of stride 1 of those. A 1x1 convolution with a
      stride would otherwise, in torch 2.14 (oneDNN 3.12), write behind its memory in the gradient of the weights, on
      CPUs with AVX2 and without AVX-512, for 2 to 6 channels and even sides: the numbers are right, the process aborts
      later.
    - On a CPU, a dilated depthwise convolution is taken as an undilated one of each of the images that its pixels fall
      into: oneDNN has no fast gradients of dilated ones (2 to 13 times as fast so).
    """
    if padding == "same":  # which has no stride
        return conv2d(x, weight, bias, stride, padding, dilation, groups)
    edges = NONE if isinstance(padding, str) else padding  # the other word is "valid"
    if skips_pixels(weight, stride, dilation):
        x, edges = padded(x, edges, stride)
        x, edges, dilation = x[:, :, :: stride[0], :: stride[1]], divided(edges, stride), divided(dilation, stride)
        stride, dilation = ONE, (max(dilation[0], 1), max(dilation[1], 1))
    if falls_into_phases(x, groups, stride, edges, dilation):
        return of_phases(into_phases(x, dilation), weight, bias, edges, dilation, groups)
    return conv2d(x, weight, bias, stride, edges, dilation, groups)


def skips_pixels(weight: Tensor, stride: Pair, dilation: Pair) -> bool:
    """Whether some pixels are never read: steps inside of a kernel are a multiple of its own."""
    inside = (step if length > 1 else 0 for length, step in zip(weight.shape[2:], dilation, strict=True))
    return max(stride) > 1 and all(step % by == 0 for step, by in zip(inside, stride, strict=True))


def padded(x: Tensor, edges: Pair, stride: Pair) -> tuple[Tensor, Pair]:
    """The images with edges, where those are not a whole number of strides; and the edges that are left to add."""
    if edges[0] % stride[0] == edges[1] % stride[1] == 0:
        return x, edges
    return pad(x, (edges[1], edges[1], edges[0], edges[0])), NONE


def divided(lengths: Pair, by: Pair) -> Pair:
    return lengths[0] // by[0], lengths[1] // by[1]


def falls_into_phases(x: Tensor, groups: int, stride: Pair, edges: Pair, dilation: Pair) -> bool:
    """Whether it is a dilated depthwise convolution on a CPU whose phases, x[:, :, i::2, j::2], are equally large."""
    depthwise, whole = groups == x.shape[1] > 1, (*x.shape[2:], *edges)
    fits = all(length % step == 0 for length, step in zip(whole, (*dilation, *dilation), strict=True))
    dilated = max(dilation) > 1 and max(stride) == 1
    return dilated and depthwise and fits and x.device.type in BY_SHAPE and torch.is_grad_enabled()


def into_phases(x: Tensor, dilation: Pair) -> Tensor:
    """Images [n, channels, height, width] to [phases * n, channels, height / dilation, width / dilation]."""
    (rows, columns), (n, channels, height, width) = dilation, x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(n, height // rows, rows, width // columns, columns, channels)
    phases = pixels.permute(2, 4, 0, 1, 3, 5).reshape(-1, height // rows, width // columns, channels)
    return phases.permute(0, 3, 1, 2)


def of_phases(phases: Tensor, weight: Tensor, bias: Tensor | None, edges: Pair, dilation: Pair, groups: int) -> Tensor:
    """The dilated convolution of images in phases."""
    return from_phases(conv2d(phases, weight, bias, ONE, divided(edges, dilation), ONE, groups), dilation)


def from_phases(x: Tensor, dilation: Pair) -> Tensor:
    """The way back."""
    (rows, columns), (_, channels, height, width) = dilation, x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(rows, columns, -1, height, width, channels)
    images = pixels.permute(2, 3, 0, 4, 1, 5).reshape(-1, height * rows, width * columns, channels)
    return images.permute(0, 3, 1, 2)


def is_strided_pointwise(weight: Tensor, stride: Sequence[int]) -> bool:
    """Whether every output of a convolution comes from one pixel of its own, and some pixels are never read."""
    return weight.shape[2:] == ONE and max(stride) > 1


class Conv2d(nn.Conv2d):
    """torch's layer, with its parameters and their names, in the form that `convolve` decides.

    Layers of one input that take it in the same phases can share those: `phases` and `of_phases`.
    """

    def phases(self, x: Tensor) -> Pair | None:
        """The dilation, where `x` is taken in phases (`into_phases`); None for any other form."""
        if isinstance(self.padding, str) or self.padding_mode != "zeros":
            return None
        alone = falls_into_phases(x, self.groups, self.stride, self.padding, self.dilation)
        return self.dilation if alone else None

    def of_phases(self, phases: Tensor) -> Tensor:
        """Its output for the `x` that these are of."""
        assert not isinstance(self.padding, str)
        return of_phases(phases, self.weight, self.bias, self.padding, self.dilation, self.groups)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), (0, 0)
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)


def warn_of_faulty(network: nn.Module) -> None:
    """Warns of layers that may end the process on this machine: see `convolve`."""
    if names := faulty_layers(network):
        warnings.warn(
            f"{', '.join(names)}: a 1x1 convolution with a stride of torch's own class; on this CPU (AVX2 without "
            "AVX-512) its gradient may write behind its memory and end the process: use cleave.net.Conv2d instead",
            RuntimeWarning,
            stacklevel=3,
        )


def faulty_layers(network: nn.Module) -> list[str]:
    """The names of layers whose gradient writes behind its memory on this machine."""
    if not runs_avx2_kernels():
        return []
    return [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
        and not isinstance(layer, Conv2d)
        and is_strided_pointwise(layer.weight, layer.stride)
    ]


def runs_avx2_kernels() -> bool:
    """Whether oneDNN takes its AVX2 kernels on this CPU: what the CPU has, as far as ONEDNN_MAX_CPU_ISA allows."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    has_more = torch.cpu._is_avx512_supported() and not allowed.startswith("AVX2")
    return torch.cpu._is_avx2_supported() and not has_more and allowed not in ("SSE41", "AVX")
