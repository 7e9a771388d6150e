"""The form in which a convolution reaches torch: one function decides it, by the shape."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from cleave.ops.depthwise import Depthwise, has_slow_gradient
from cleave.ops.steps import Edges, Every, Pair, Phases, Step, taken

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
      into: oneDNN has no fast gradients of dilated ones (2 to 13 times as fast so). Not without gradients: forwards
      torch is faster.
    - On a CPU, the gradient by the weights of a depthwise convolution is taken three columns of its kernel at a time
      (`cleave.ops.depthwise`).
    """
    form = form_of(x, weight, stride, padding, dilation, groups)
    return form.finish(taken(form.steps, x), weight, bias)


@dataclass(frozen=True)
class Form:
    """Steps, the convolution of what they come to, and the way back from phases where it was taken apart."""

    steps: tuple[Step, ...]
    stride: Pair
    padding: Pair | str
    dilation: Pair
    groups: int

    def finish(self, begun: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        output = self._convolved(begun, weight, bias)
        last = self.steps[-1] if self.steps else None
        return last.back(output) if isinstance(last, Phases) else output

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        slow = has_slow_gradient(x, weight, self.stride, self.dilation, self.groups)
        if bias is None and slow and not isinstance(self.padding, str):
            output: Tensor = Depthwise.apply(x, weight, self.padding)
            return output
        return conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)


def form_of(x: Tensor, weight: Tensor, stride: Pair, padding: Pair | str, dilation: Pair, groups: int) -> Form:
    """By shapes, and by whether there are gradients; see `convolve`."""
    if padding == "same":  # which has no stride
        return Form((), stride, padding, dilation, groups)
    edges = NONE if isinstance(padding, str) else padding  # the other word is "valid"
    steps: list[Step] = []
    sides = tuple(x.shape[2:])
    if skips_pixels(weight, stride, dilation):
        if any(width % step for width, step in zip(edges, stride, strict=True)):
            steps, edges, sides = [Edges(edges)], NONE, grown(sides, edges)
        steps, sides = [*steps, Every(stride)], divided(sides, stride, up=True)
        edges, dilation, stride = divided(edges, stride), divided(dilation, stride, up=True), ONE
    slow = groups == x.shape[1] > 1 and max(stride) == 1 and torch.is_grad_enabled() and x.device.type in BY_SHAPE
    if slow and falls_into_phases(sides, edges, dilation):
        steps, edges, dilation = [*steps, Phases(dilation)], divided(edges, dilation), ONE
    return Form(tuple(steps), stride, edges, dilation, groups)


def skips_pixels(weight: Tensor, stride: Pair, dilation: Pair) -> bool:
    """Whether some pixels are never read: steps inside of a kernel are a multiple of its own."""
    inside = (step if length > 1 else 0 for length, step in zip(weight.shape[2:], dilation, strict=True))
    return max(stride) > 1 and all(step % by == 0 for step, by in zip(inside, stride, strict=True))


def falls_into_phases(sides: Pair, edges: Pair, dilation: Pair) -> bool:
    """Whether it is dilated, and its phases are equally large."""
    return max(dilation) > 1 and all(
        length % step == 0 for length, step in zip((*sides, *edges), (*dilation, *dilation), strict=True)
    )


def grown(sides: Pair, edges: Pair) -> Pair:
    return sides[0] + 2 * edges[0], sides[1] + 2 * edges[1]


def divided(lengths: Pair, by: Pair, up: bool = False) -> Pair:
    """Rounded down, or up."""
    return tuple(-(-length // step) if up else length // step for length, step in zip(lengths, by, strict=True))


def is_strided_pointwise(weight: Tensor, stride: Sequence[int]) -> bool:
    """Whether every output of a convolution comes from one pixel of its own, and some pixels are never read."""
    return weight.shape[2:] == ONE and max(stride) > 1


class Conv2d(nn.Conv2d):
    """torch's layer, with its parameters and their names, in the form that `convolve` decides."""

    def steps(self, x: Tensor) -> tuple[Step, ...]:
        """What it does to `x` first; others of the same input may share it."""
        return self._form(x).steps if self.padding_mode == "zeros" else ()

    def forward(self, input: Tensor, begun: Tensor | None = None) -> Tensor:
        """`begun`: what these steps came to, where that is known."""
        if begun is None:
            return super().forward(input)
        return self._form(input).finish(begun, self.weight, self.bias)

    def _form(self, x: Tensor) -> Form:
        return form_of(x, self.weight, self.stride, self.padding, self.dilation, self.groups)

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
