"""Slow, obvious twins of the network: a stand-alone NAS-Bench-201 net, written out without gates or regions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

Weights = Mapping[str, Tensor]


def batch_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    x = (x - mean) / torch.sqrt(variance + 1e-5)
    if weight is None or bias is None:
        return x
    return x * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


def convolve(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """A convolution as a matrix product over unfolded patches."""
    outputs, _, kernel, _ = weight.shape
    patches = functional.unfold(x, kernel, padding=kernel // 2, stride=stride)
    side = -(-x.shape[-1] // stride)
    return (weight.flatten(1) @ patches).view(len(x), outputs, side, side)


def average_pool(x: Tensor) -> Tensor:
    """The mean over the neighbours that are inside, pixel by pixel."""
    out = torch.empty_like(x)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            window = x[:, :, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            out[:, :, i, j] = window.mean(dim=(2, 3))
    return out


def nasbench201(images: Tensor, arch: Mapping[str, str], weights: Weights, cells: int) -> Tensor:
    """Logits of one architecture, reading a supernet's weights by name."""

    def weight(name: str) -> Tensor:
        return weights[f"blocks.{name}"]

    def operation(x: Tensor, cell: str, edge: str) -> Tensor:
        name = arch[edge]
        if name == "none":
            return torch.zeros_like(x)
        if name == "skip_connect":
            return x
        if name == "avg_pool_3x3":
            return average_pool(x)
        return batch_norm(convolve(x.relu(), weight(f"{cell}.edges.{edge}.ops.{name}.1.weight")))

    def residual(x: Tensor, name: str) -> Tensor:
        body = x
        for part, stride in (("0", 2), ("1", 1)):
            key = f"{name}.op.body.{part}"
            body = convolve(body.relu(), weight(f"{key}.1.weight"), stride)
            body = batch_norm(body, weight(f"{key}.2.weight"), weight(f"{key}.2.bias"))
        return body + convolve(functional.avg_pool2d(x, 2), weight(f"{name}.op.shortcut.1.weight"))

    x = convolve(images, weight("stem.op.0.weight"))
    x = batch_norm(x, weight("stem.op.1.weight"), weight("stem.op.1.bias"))
    for stage in range(3):
        if stage:
            x = residual(x, f"reduce{stage}")
        for number in range(cells):
            cell = f"cell{stage}_{number}"
            node1 = operation(x, cell, "1<-0")
            node2 = operation(x, cell, "2<-0") + operation(node1, cell, "2<-1")
            x = operation(x, cell, "3<-0") + operation(node1, cell, "3<-1") + operation(node2, cell, "3<-2")
    x = batch_norm(x, weight("last.op.0.weight"), weight("last.op.0.bias")).relu().mean(dim=(2, 3))
    return x @ weights["classifier.weight"].T + weights["classifier.bias"]
