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


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = ONE,
    padding: Pair | str = (0, 0),
    dilation: Pair = ONE,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv2d` of `x` [n, channels, height, width], in the form that is safe on every machine.

    A 1x1 convolution with a stride reads every so many pixels and nothing else: it is taken as one of stride 1 of
    those. As such torch 2.14 (oneDNN 3.12) writes behind its memory in the gradient of the weights, on CPUs with AVX2
    and without AVX-512, for 2 to 6 channels and even sides. The numbers are right; the process aborts later.
    """
    if is_strided_pointwise(weight, stride):
        if not isinstance(padding, str) and any(padding):  # as a word it is "valid": none
            x = pad(x, (padding[1], padding[1], padding[0], padding[0]))
        x, stride, padding = x[:, :, :: stride[0], :: stride[1]], ONE, (0, 0)
    return conv2d(x, weight, bias, stride, padding, dilation, groups)


def is_strided_pointwise(weight: Tensor, stride: Sequence[int]) -> bool:
    """Whether every output of a convolution comes from one pixel of its own, and some pixels are never read."""
    return weight.shape[2:] == ONE and max(stride) > 1


class Conv2d(nn.Conv2d):
    """torch's layer, with its parameters and their names, in the form that `convolve` decides."""

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
