"""Depthwise convolutions whose gradient by the weights takes a fraction of torch's time on a CPU.

oneDNN has a fast kernel for that gradient where the convolution's kernel is up to three columns wide: for 5x5 and 7x7
it takes 15 to 30 times as long as the convolution itself. But columns can be had three at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import conv2d, pad

from cleave.ops.steps import Pair

COLUMNS = 3
"""Of a kernel, for which there is a fast gradient."""


def has_slow_gradient(x: Tensor, weight: Tensor, stride: Pair, dilation: Pair, groups: int) -> bool:
    """Whether a convolution is one whose gradient `Depthwise` has faster."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or weight.dtype != torch.float32:
        return False
    depthwise = groups == x.shape[1] == weight.shape[0] > 1
    plain = max(stride) == max(dilation) == 1 and not torch.compiler.is_compiling()
    return depthwise and plain and weight.shape[3] > COLUMNS and torch.is_grad_enabled() and weight.requires_grad


class Depthwise(Function):
    """`conv2d` of `x` [n, channels, height, width] and weights [channels, 1, rows, columns], of stride 1."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, padding: Pair) -> Tensor:
        return conv2d(x, weight, None, 1, padding, 1, len(weight))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Pair], output: Tensor) -> None:  # noqa: ANN401
        x, weight, ctx.padding = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # noqa: ANN401
        """Torch's own where gradients of these are asked for too."""
        (gradient,), (x, weight), padding = gradients, ctx.saved_tensors, ctx.padding
        by_x, by_weight, _ = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return *own_gradients(gradient, x, weight, padding, (by_x, by_weight)), None
        of_x, _ = own_gradients(gradient, x, weight, padding, (by_x, False))
        return of_x, weight_gradient(gradient, x, weight, padding) if by_weight else None, None


def own_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, padding: Pair, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Torch's, by `x` and by the weights; None for what is not wanted."""
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], list(padding), [1, 1], False, [0, 0], len(weight), [*wanted, False]
    )
    return of_x, of_weight


def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, padding: Pair) -> Tensor:
    """The gradient by the weights, three columns of the kernel at a time.

    A kernel's column o sees the image moved o columns to the left. With zeros around the images, rows after one another
    in memory, that is the same memory from o columns further on: nothing is copied. What then runs over the end of a
    row is multiplied by zeros, which are put behind the rows of the gradient.
    """
    (n, channels, height, width), columns, (top, left) = x.shape, weight.shape[3], padding
    size = (n, channels, height + 2 * top, width + 2 * left)
    strides = (size[2] * size[3] * channels, 1, size[3] * channels, channels)
    memory = x.new_empty(n * strides[0] + columns * channels)
    images = memory.as_strided(size, strides)
    images[:, :, top : top + height, left : left + width] = x
    for edge in (images[:, :, :top], images[:, :, top + height :], images[..., :left], images[..., left + width :]):
        edge.zero_()
    memory[n * strides[0] :].zero_()
    spread = pad(gradient, (0, size[3] - COLUMNS + 1 - gradient.shape[3]))
    found = []
    for first in range(0, columns, COLUMNS):
        some = pad(weight[..., first : first + COLUMNS], (0, max(0, first + COLUMNS - columns)))
        moved = memory.as_strided(size, strides, first * channels)
        _, of_some = own_gradients(spread, moved, some, (0, 0), (False, True))
        assert of_some is not None
        found.append(of_some)
    return torch.cat(found, dim=3)[..., :columns]
