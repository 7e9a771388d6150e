"""The supernet of ProxylessNAS (Cai et al., 2019) and its steps the published way.

A weight step runs one path. An architecture step draws two candidates of each block, runs one of them, and on the way
back asks the other one what it would have given, for the gradients of the two binary gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.utils import clip_grad_norm_

from benchmarks.naive import Allowed, Batch, Rows, Supernet
from benchmarks.naive_steps import Trainer

STAGES = (24, 40, 80, 96, 192, 320)
BLOCKS = (4, 4, 4, 4, 4, 1)
STRIDES = {"cifar": (1, 1, 2, 2, 1, 2, 1), "imagenet": (2, 2, 2, 2, 1, 2, 1)}
"""Of the stem, then of the first block of each stage."""


class Pair(NamedTuple):
    """Two drawn candidates of a block: which of them runs, and which does not."""

    runs: str
    idle: str


Pairs = Mapping[str, Pair]


def divisible(channels: float) -> int:
    """The nearest multiple of 8, not below nine tenths."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(channels_out, eps=1e-3, track_running_stats=False)]


class MBConv(nn.Module):
    """Expansion, depthwise convolution, projection; beside the input where that has the same shape."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, kernel: int, expansion: int) -> None:
        super().__init__()
        middle = channels_in * expansion
        first = [*conv_bn(channels_in, middle, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        depthwise = [*conv_bn(middle, middle, kernel, stride, middle), nn.ReLU6(inplace=True)]
        self.body = nn.Sequential(*first, *depthwise, *conv_bn(middle, channels_out, 1))
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.body(x)
        return x + output if self.shortcut else output


def operation(name: str, channels_in: int, channels_out: int, stride: int) -> nn.Module:
    return nn.Identity() if name == "zero" else MBConv(channels_in, channels_out, stride, int(name[0]), int(name[-1]))


class TwoPaths(Function):
    """The output of the candidate that runs; the gradient of a gate is its candidate's output times the slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gates: Tensor, runs: nn.Module, idle: nn.Module) -> Tensor:  # noqa: ANN401
        ctx.x, ctx.idle = x.detach().requires_grad_(), idle
        with torch.enable_grad():
            ctx.output = runs(ctx.x)
        output: Tensor = ctx.output.detach().clone()
        return output

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        (by_x,) = torch.autograd.grad(ctx.output, [ctx.x], slopes[0])
        with torch.no_grad():
            other = ctx.idle(ctx.x)
            by_gates = torch.stack([(ctx.output * slopes[0]).sum(), (other * slopes[0]).sum()])
        return by_x, by_gates, None, None


class MixedBlock(nn.Module):
    """All candidates of a block, of which one runs, or two are compared."""

    def __init__(self, candidates: tuple[str, ...], channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        ops = {name: operation(name, channels_in, channels_out, stride) for name in candidates}
        self.edge = nn.ModuleDict({"ops": nn.ModuleDict(ops)})

    @property
    def ops(self) -> Mapping[str, nn.Module]:
        return self.edge["ops"]  # type: ignore[return-value]

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        name = list(self.ops)[int(row.argmax())]
        output: Tensor = self.ops[name](x)
        return output

    def compared(self, x: Tensor, gates: Tensor, pair: Pair) -> Tensor:
        output: Tensor = TwoPaths.apply(x, gates, self.ops[pair.runs], self.ops[pair.idle])
        return output


class MobileNetSupernet(Supernet):
    """A stem, a fixed block, the searched ones, a 1x1 convolution."""

    def __init__(self, size: Any, allowed: Allowed, classes: int, image_channels: int = 3) -> None:  # noqa: ANN401
        first_stride, *strides = STRIDES[size.stem]
        stem, first, *widths = (divisible(size.width * each) for each in (32, 16, *STAGES))
        last = divisible(max(size.width, 1.0) * 1280)
        blocks: dict[str, nn.Module] = {
            "stem": nn.Sequential(*conv_bn(image_channels, stem, 3, first_stride), nn.ReLU6(inplace=True)),
            "block0": MBConv(stem, first, 1, 3, 1),
        }
        names = iter(allowed)
        for (before, width), stride, count in zip(pairwise([first, *widths]), strides, BLOCKS, strict=True):
            for number in range(count):
                name = next(names)
                shape = (before, width, stride) if number == 0 else (width, width, 1)
                blocks[name] = MixedBlock(tuple(allowed[name]), *shape)
        blocks["last"] = nn.Sequential(*conv_bn(widths[-1], last, 1), nn.ReLU6(inplace=True))
        super().__init__(blocks, last, allowed, classes)
        self.comparing: Mapping[str, tuple[Tensor, Pair]] = {}
        """While an architecture step is taken, the gates and the pair of each block."""

    def features(self, images: Tensor, rows: Rows) -> Tensor:
        x = images
        for name, block in self.blocks.items():
            if not isinstance(block, MixedBlock):
                x = block(x)
            elif name in self.comparing:
                x = block.compared(x, *self.comparing[name])
            else:
                x = block(x, rows[name])
        return x

    def mixed(self, edge: str) -> list[nn.Module]:
        return [self.blocks[edge].edge]  # type: ignore[list-item]


class PathTrainer(Trainer):
    """Steps of single paths and of pairs."""

    network: MobileNetSupernet

    def path_step(self, train: Batch, rows: Rows) -> None:
        self.sgd.zero_grad()
        self.network.loss(train, rows).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip is not None:
            clip_grad_norm_(self.network.weights(), self.settings.clip)
        self.sgd.step()

    def pair_step(self, held: Batch, pairs: Pairs) -> None:
        """Of the alphas of a pair, by the gradients of the gates (equation 4); other candidates keep their chances."""
        gates = {name: torch.tensor([1.0, 0.0], dtype=held[0].dtype, requires_grad=True) for name in pairs}
        self.network.comparing = {name: (gates[name], pair) for name, pair in pairs.items()}
        loss = self.network.loss(held, {})
        self.network.comparing = {}
        slopes = dict(zip(gates, torch.autograd.grad(loss, list(gates.values())), strict=True))
        before = {name: alpha.detach().clone() for name, alpha in self.network.alphas.items()}
        for name, pair in pairs.items():
            self.network.alphas[name].grad = self.by_alpha(name, pair, slopes[name])
        self.adam.step()
        for name, pair in pairs.items():
            self.rescale(name, pair, before[name])

    def places(self, name: str, pair: Pair) -> list[int]:
        candidates = list(self.network.blocks[name].ops)  # type: ignore[arg-type]
        return [candidates.index(each) for each in pair]

    def by_alpha(self, name: str, pair: Pair, slopes: Tensor) -> Tensor:
        alpha, places = self.network.alphas[name].detach(), self.places(name, pair)
        shares = alpha[places].softmax(dim=0)
        found = torch.zeros_like(alpha)
        for i in (0, 1):
            found[places[i]] = sum(slopes[j] * shares[j] * (float(i == j) - shares[i]) for j in (0, 1))
        return found

    @torch.no_grad()
    def rescale(self, name: str, pair: Pair, before: Tensor) -> None:
        alpha, places = self.network.alphas[name], self.places(name, pair)
        alpha[places] -= alpha[places].exp().sum().log() - before[places].exp().sum().log()
