"""The supernet of Once-for-All (Cai et al., 2020) and the steps of its trainers, plainly in torch.

Every network of a step runs whole, slices of the weights as they are asked for; nothing is known of one from another
but the answers that it learns from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, batch_norm, conv2d, cross_entropy, hardsigmoid, hardswish, softmax
from torch.nn.utils import clip_grad_norm_

from benchmarks.naive import Batch
from benchmarks.naive_mobilenet import divisible
from cleave.method import Lesson, OnceForAllSettings
from cleave.space import Arch

UNITS = ((24, False, "relu"), (40, True, "relu"), (80, False, "swish"), (112, True, "swish"), (160, True, "swish"))
"""Channels at a width of 1, squeeze-and-excitation, activation."""
STRIDES = {"cifar": (1, 1, 2, 2, 1, 2), "imagenet": (2, 2, 2, 2, 1, 2)}
"""Of the stem, then of the first block of each unit."""
DEPTH, WIDEST, LARGEST = 4, 6, 7


def activation(name: str, x: Tensor) -> Tensor:
    return x.relu() if name == "relu" else hardswish(x)


class Norm(nn.Module):
    """By the batch; the parameters of the first channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        return batch_norm(x, None, None, self.weight[:channels], self.bias[:channels], training=True, eps=1e-5)


def convolution(channels_in: int, channels_out: int, kernel: int = 1, groups: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, 1, kernel // 2, groups=groups, bias=bias)


class Elastic(nn.Module):
    """An inverted residual block, of which kernel and expansion are given with each pass."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, squeeze: bool, act: str) -> None:
        super().__init__()
        self.channels_in, self.stride, self.act = channels_in, stride, act
        self.shortcut = stride == 1 and channels_in == channels_out
        widest = divisible(channels_in * WIDEST)
        self.expand, self.expand_norm = convolution(channels_in, widest), Norm(widest)
        self.depthwise, self.depthwise_norm = convolution(widest, widest, LARGEST, widest), Norm(widest)
        self.squeeze = None
        if squeeze:
            middle = divisible(widest // 4)
            layers = {
                "reduce": convolution(widest, middle, bias=True),
                "expand": convolution(middle, widest, bias=True),
            }
            self.squeeze = nn.ModuleDict(layers)
        self.project, self.project_norm = convolution(widest, channels_out), Norm(channels_out)
        self.transforms = nn.ParameterDict({str(side): torch.eye(side * side) for side in (3, 5)})

    def forward(self, x: Tensor, kernel: int, expansion: int) -> Tensor:
        channels = divisible(self.channels_in * expansion)
        y = activation(self.act, self.expand_norm(conv2d(x, self.expand.weight[:channels])))
        y = conv2d(y, self.kernel(kernel, channels), None, self.stride, kernel // 2, groups=channels)
        y = activation(self.act, self.depthwise_norm(y))
        if self.squeeze is not None:
            y = y * self.shares(y)
        out: Tensor = self.project_norm(conv2d(y, self.project.weight[:, :channels]))
        return x + out if self.shortcut else out

    def kernel(self, side: int, channels: int) -> Tensor:
        weight = self.depthwise.weight[:channels]
        for smaller in (5, 3):
            if side <= smaller:
                centre = weight[:, :, 1:-1, 1:-1].reshape(channels, 1, -1)
                weight = (centre @ self.transforms[str(smaller)].T).view(channels, 1, smaller, smaller)
        return weight

    def shares(self, y: Tensor) -> Tensor:
        assert self.squeeze is not None
        channels, middle = y.shape[1], divisible(y.shape[1] // 4)
        reduce, expand = self.squeeze.children()
        assert isinstance(reduce, nn.Conv2d)
        assert isinstance(expand, nn.Conv2d)
        assert reduce.bias is not None
        assert expand.bias is not None
        pooled = adaptive_avg_pool2d(y, 1)
        inner = conv2d(pooled, reduce.weight[:middle, :channels], reduce.bias[:middle]).relu()
        return hardsigmoid(conv2d(inner, expand.weight[:channels, :middle], expand.bias[:channels]))


class Fixed(nn.Module):
    """A convolution that is always whole, its normalisation, an activation."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
        self.norm = Norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return hardswish(self.norm(self.conv(x)))


class First(nn.Module):
    """The block in front of the units."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise, self.depthwise_norm = convolution(channels, channels, 3, channels), Norm(channels)
        self.project, self.project_norm = convolution(channels, channels), Norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise_norm(self.depthwise(x)).relu()
        output: Tensor = x + self.project_norm(self.project(y))
        return output


class OfaSupernet(nn.Module):
    """A stem, a fixed block, five units, a 1x1 convolution, pooling, a layer, a classifier."""

    def __init__(self, width: float, stem: str, classes: int, image_channels: int = 3) -> None:
        super().__init__()
        first, last, features = (divisible(width * each) for each in (16, 960, 1280))
        stride, *strides = STRIDES[stem]
        self.stem, self.first = Fixed(image_channels, first, 3, stride), First(first)
        self.units, before = nn.ModuleList(), first
        for (channels, squeeze, act), each in zip(UNITS, strides, strict=True):
            own = divisible(width * channels)
            shapes = [(before, own, each), *[(own, own, 1)] * (DEPTH - 1)]
            self.units.append(nn.ModuleList(Elastic(*shape, squeeze, act) for shape in shapes))
            before = own
        self.last, self.head = Fixed(before, last, 1), convolution(last, features)
        self.classifier = nn.Linear(features, classes)

    def forward(self, images: Tensor, arch: Arch) -> Tensor:
        x, block = self.first(self.stem(images)), 0
        for number, unit in enumerate(self.units, start=1):
            assert isinstance(unit, nn.ModuleList)
            for place, each in enumerate(unit):
                block += 1
                if place < int(arch[f"depth{number}"][1:]):
                    x = each(x, int(arch[f"kernel{block}"][1:]), int(arch[f"expand{block}"][1:]))
        x = hardswish(self.head(adaptive_avg_pool2d(self.last(x), 1)))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits

    def theirs(self) -> dict[str, str]:
        """What each parameter is called in cleave's network."""
        found = {}
        for name, _ in self.named_parameters():
            parts = name.split(".")
            if parts[0] == "units":
                block = 1 + DEPTH * int(parts[1]) + int(parts[2])
                found[name] = ".".join(["blocks", f"block{block}", "place", *parts[3:]])
            elif parts[0] in ("stem", "last"):
                found[name] = f"blocks.{parts[0]}.op.{('conv', 'norm').index(parts[1])}.{parts[2]}"
            elif parts[0] == "first":
                order = ("depthwise", "depthwise_norm", "", "project", "project_norm")
                found[name] = f"blocks.block0.op.body.{order.index(parts[1])}.{parts[2]}"
            else:
                found[name] = name if parts[0] == "classifier" else f"head.0.0.{parts[1]}"
        return found


class ElasticTrainer:
    """Weight steps that train several networks."""

    def __init__(self, network: OfaSupernet, settings: OnceForAllSettings) -> None:
        self.network, self.teacher, self.settings = network, deepcopy(network), settings
        weights = list(network.parameters())
        decayed = {
            True: [each for each in weights if each.dim() > 1],
            False: [each for each in weights if each.dim() < 2],
        }
        self.sgd = torch.optim.SGD(
            [{"params": each, "weight_decay": settings.weight_decay * decays} for decays, each in decayed.items()],
            lr=settings.learning_rate,
            momentum=settings.momentum,
            nesterov=True,
        )

    def step(self, batch: Batch, lessons: Sequence[Lesson]) -> None:
        """The mean loss of the networks, one after the other."""
        images, labels = batch
        self.sgd.zero_grad()
        answers: Tensor | None = None
        for lesson in lessons:
            logits = self.network(images, arch_of(lesson.gates))
            loss = lesson.labels * cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
            if lesson.taught:
                if answers is None:
                    assert lesson.teacher is not None
                    with torch.no_grad():
                        answers = softmax(self.teacher(images, arch_of(lesson.teacher)), dim=1)
                loss = loss + lesson.taught * cross_entropy(logits, answers)
            elif answers is None:
                answers = softmax(logits.detach(), dim=1)
            (loss / len(lessons)).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip is not None:
            clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.sgd.step()


def arch_of(gates: Mapping[str, object]) -> Arch:
    return {choice: gate.active[0] for choice, gate in gates.items()}  # type: ignore[attr-defined]
