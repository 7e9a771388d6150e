"""An elastic block written down step by step: every channel and every pixel of a kernel by itself."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from cleave.net.elastic import ElasticPlace
from cleave.space.elastic import Part

ACTIVATIONS = {
    "relu": lambda x: x.clamp(min=0),
    "h_swish": lambda x: x * (x + 3).clamp(0, 6) / 6,
}


def rounded(channels: float) -> int:
    """To a multiple of 8, as MobileNets are published: never more than a tenth below."""
    found = max(8, 8 * int((channels + 4) // 8))
    return found if found >= 0.9 * channels else found + 8


def smaller(kernel: list[list[Tensor]], matrix: Tensor) -> list[list[Tensor]]:
    """The kernel of a side that is smaller by 2: a matrix times the numbers of its centre, row by row."""
    centre = [number for row in kernel[1:-1] for number in row[1:-1]]
    side = len(kernel) - 2
    found = [sum((matrix[i, j] * centre[j] for j in range(len(centre))), torch.zeros(())) for i in range(len(centre))]
    return [found[row * side : (row + 1) * side] for row in range(side)]


def normalised(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """By the statistics of the batch, channel by channel."""
    channels = []
    for channel in range(x.shape[1]):
        own = x[:, channel]
        scaled = (own - own.mean()) / (own.var(unbiased=False) + eps).sqrt()
        channels.append(scaled * weight[channel] + bias[channel])
    return torch.stack(channels, dim=1)


def block(place: ElasticPlace, x: Tensor, part: Part) -> Tensor:
    """The output of the block for one part of it."""
    spec, channels = place.spec, rounded(place.spec.channels_in * part.expand)
    act = ACTIVATIONS[spec.activation]
    y = conv2d(x, place.expand.weight[:channels])
    y = act(normalised(y, place.expand_norm.weight, place.expand_norm.bias, place.expand_norm.eps))
    kernels = []
    for channel in range(channels):
        kernel = [list(row) for row in place.depthwise.weight[channel, 0]]
        while len(kernel) > part.kernel:
            kernel = smaller(kernel, place.transforms[str(len(kernel) - 2)])
        kernels.append(torch.stack([torch.stack(row) for row in kernel]))
    weight = torch.stack(kernels)[:, None]
    y = conv2d(y, weight, stride=spec.stride, padding=part.kernel // 2, groups=channels)
    y = act(normalised(y, place.depthwise_norm.weight, place.depthwise_norm.bias, place.depthwise_norm.eps))
    if place.squeeze is not None:
        middle = rounded(channels // 4)
        reduce, expand = place.squeeze.reduce, place.squeeze.expand
        assert reduce.bias is not None
        assert expand.bias is not None
        inner = (y.mean(dim=(2, 3)) @ reduce.weight[:middle, :channels, 0, 0].T + reduce.bias[:middle]).clamp(min=0)
        shares = ((inner @ expand.weight[:channels, :middle, 0, 0].T + expand.bias[:channels] + 3) / 6).clamp(0, 1)
        y = y * shares[:, :, None, None]
    y = conv2d(y, place.project.weight[:, :channels])
    y = normalised(y, place.project_norm.weight, place.project_norm.bias, place.project_norm.eps)
    return x + y if (spec.channels_in, spec.stride) == (spec.channels_out, 1) else y
