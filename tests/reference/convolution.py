"""A convolution written out: every output is a sum over the pixels that its kernel sees."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def convolution(x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int, groups: int) -> Tensor:
    """`conv2d` of `x` [n, channels, height, width] without a bias."""
    x = pad(x, (padding,) * 4)
    (n, channels, height, width), (out, _, kernel, _) = x.shape, weight.shape
    reach = dilation * (kernel - 1)
    rows, columns = ((side - reach - 1) // stride + 1 for side in (height, width))
    result = torch.zeros(n, out, rows, columns, dtype=x.dtype)
    for down in range(kernel):
        for right in range(kernel):
            top, left = down * dilation, right * dilation
            seen = x[
                :, :, top : top + (rows - 1) * stride + 1 : stride, left : left + (columns - 1) * stride + 1 : stride
            ]
            grouped = seen.reshape(n, groups, channels // groups, rows, columns)
            factors = weight[:, :, down, right].reshape(groups, out // groups, channels // groups)
            result = result + torch.einsum("ngihw,goi->ngohw", grouped, factors).reshape(result.shape)
    return result
