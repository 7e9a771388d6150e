"""Shapes of what torch's functions give out, without running them.

On the meta device, where tensors have no values, torch takes a long time to find them: for many functions it loads its
compiler first, a second and more of every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import linear

Shaped = Callable[..., tuple[int, ...] | None]


def same(tensor: Tensor, *_: Any, **__: Any) -> tuple[int, ...]:  # noqa: ANN401
    return tensor.shape


def together(one: Tensor, other: Tensor | float, *, alpha: float = 1) -> tuple[int, ...] | None:
    return broadcast(one.shape, other.shape if isinstance(other, Tensor) else ())


def broadcast(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...] | None:
    """By numpy: torch's own function for it loads many modules."""
    try:
        return np.broadcast_shapes(tuple(one), tuple(other))
    except ValueError:
        return None


def joined(tensors: Sequence[Tensor], dim: int = 0) -> tuple[int, ...] | None:
    size = sum(each.shape[dim] for each in tensors)
    shapes = {along(each, dim, size) for each in tensors}
    return shapes.pop() if len(shapes) == 1 else None


def along(tensor: Tensor, dim: int, size: int) -> tuple[int, ...]:
    """A tensor's shape with another size in one dimension."""
    shape = list(tensor.shape)
    shape[dim] = size
    return tuple(shape)


def averaged(tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> tuple[int, ...]:
    dims = [dim] if isinstance(dim, int) else dim or range(tensor.dim())
    gone = {each % tensor.dim() for each in dims}
    sizes = enumerate(tensor.shape)
    return tuple(1 if at in gone else size for at, size in sizes if keepdim or at not in gone)


def multiplied(one: Tensor, other: Tensor) -> tuple[int, ...] | None:
    if min(one.dim(), other.dim()) < 2 or one.shape[-1] != other.shape[-2]:
        return None
    above = broadcast(one.shape[:-2], other.shape[:-2])
    return None if above is None else (*above, one.shape[-2], other.shape[-1])


def projected(tensor: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[int, ...] | None:
    fits = weight.dim() == 2 and tensor.shape[-1] == weight.shape[1]
    return (*tensor.shape[:-1], weight.shape[0]) if fits else None


def convolved(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[int, ...] | None:
    if isinstance(padding, str) or image.shape[-3] != groups * weight.shape[1]:
        return None
    return (*image.shape[:-3], weight.shape[0], *sides(image, weight.shape[-2:], stride, padding, dilation))


def any_convolved(*args: Any) -> tuple[int, ...] | None:  # noqa: ANN401  of `torch.convolution`, transposed or not
    image, weight, bias, stride, padding, dilation, transposed, _, groups = args
    return None if transposed else convolved(image, weight, bias, stride, padding, dilation, groups)


def averages(
    image: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[int, ...] | None:
    return maxima(image, kernel_size, stride, padding, 1, ceil_mode)


def maxima(
    image: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[int, ...] | None:
    if return_indices:
        return None
    asked = list(map(pair, (kernel_size, stride or kernel_size, padding, dilation)))
    down = sides(image, *asked)
    if not ceil_mode:
        return (*image.shape[:-2], *down)
    each = zip(image.shape[-2:], down, *asked, strict=True)
    return (*image.shape[:-2], *(side + one_more(size, side, *window) for size, side, *window in each))


def sides(image: Tensor, *asked: int | Sequence[int]) -> list[int]:
    """Height and width that are left by a kernel, a stride, a padding and a dilation."""
    each = zip(image.shape[-2:], *map(pair, asked), strict=True)
    return [(size + 2 * pad - apart * (kernel - 1) - 1) // step + 1 for size, kernel, step, pad, apart in each]


def one_more(size: int, side: int, kernel: int, step: int, pad: int, apart: int) -> bool:
    """Whether a window after the last whole one holds some of the image."""
    return (side - 1) * step + apart * (kernel - 1) + 1 < size + 2 * pad and side * step < size + pad


def pair(given: int | Sequence[int]) -> Sequence[int]:
    return (given, given) if isinstance(given, int) else tuple(given) * (2 // len(given))


SHAPES: dict[Callable[..., Any], Shaped] = {
    **dict.fromkeys(
        (
            functional.batch_norm, functional.relu, functional.hardtanh, functional.hardswish, functional.hardsigmoid,
            torch.relu, Tensor.relu, Tensor.reciprocal,
        ),
        same,
    ),
    **dict.fromkeys((Tensor.add, Tensor.add_, Tensor.mul, torch.maximum), together),
    torch.cat: joined,
    Tensor.mean: averaged,
    Tensor.matmul: multiplied,
    linear: projected,
    torch.conv2d: convolved,
    torch.convolution: any_convolved,
    functional.avg_pool2d: averages,
    functional.max_pool2d: maxima,
}  # fmt: skip
"""The shape of what these functions give out, by what they are given; None where torch has to be asked, also for
what is wrong with it."""


def shaped(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """A tensor of the shape of what `function` gives out; None where it has to be run."""
    like = first_of(args)
    if function not in SHAPES or like is None or not like.is_meta:
        return None
    try:
        shape = SHAPES[function](*args, **kwargs)
    except TypeError:  # said in a way that is not known here, as axis for dim
        return None
    if shape is None:
        return None
    return like if shape == like.shape else like.new_empty(shape)


def first_of(given: Any) -> Tensor | None:  # noqa: ANN401  what a function of torch's is given
    """The first tensor."""
    while isinstance(given, list | tuple) and given:
        given = given[0]
    return given if isinstance(given, Tensor) else None
