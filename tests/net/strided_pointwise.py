"""Backward passes of 1x1 convolutions with strides, many of them: run as a process, for a damaged heap ends it."""

from __future__ import annotations

import sys

import torch
from torch import nn

from cleave.net import Conv2d

PASSES = 60


def train(layer: type[nn.Conv2d], channels: int, stride: int, side: int) -> None:
    conv = layer(channels, 8, 1, stride, bias=False)
    for _ in range(PASSES):
        x = torch.randn(4, channels, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
        conv(x).square().sum().backward()
        [torch.empty(length) for length in (3, 20, 54, 108, 200)]  # what is freed next to the gradient


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    layers = {"cleave": Conv2d, "torch": nn.Conv2d}
    for channels in range(1, 13):
        for stride in (1, 2, 3):
            for side in (7, 8):
                train(layers[sys.argv[1]], channels, stride, side)
    print("whole")
