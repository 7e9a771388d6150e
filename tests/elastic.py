"""A toy of the Once-for-All space: layers of elastic kernel and expansion in a chain of elastic depth.

A kind of block of its own, registered from outside the package. All candidates use parts of the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d

from cleave.net import BlockModule, Conv2d, Gate, Gates, Norm, Operations, Place, builds
from cleave.net.place import History
from cleave.space import Arch, Choice, Fixed, Layout, NetworkSize, Region, Space
from cleave.space.layout import Block

KERNELS, EXPANSIONS, DEPTHS = ("3", "5"), ("1", "2"), ("1", "2", "3")
LARGEST, WIDEST = max(map(int, KERNELS)), max(map(int, EXPANSIONS))
CENTRE = slice(1, 4)
"""Of a kernel of 5, those of 3."""


@dataclass(frozen=True)
class Elastic(Block):
    """Layer number `number` of a chain: it runs where the depth is greater, and lets through what it is given else."""

    number: int
    channels: int

    @property
    def kernel(self) -> str:
        return f"kernel{self.number}"

    @property
    def expansion(self) -> str:
        return f"expansion{self.number}"

    @property
    def choices(self) -> tuple[str, ...]:
        return (self.kernel, self.expansion, "depth")

    def runs(self, arch: Arch) -> bool:
        return self.number < int(arch["depth"])

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        return (choice for choice in self.choices if choice in arch) if self.runs(arch) else ("depth",)


class ElasticPlace(Place):
    """A residual layer: 1x1 up, depthwise, 1x1 down; a smaller one takes the first channels and the kernel's centre."""

    def __init__(self, spec: Elastic, norm: Norm) -> None:
        super().__init__()
        self.spec, self.choices, self.norm = spec, spec.choices, replace(norm, running=False)
        wide = WIDEST * spec.channels
        self.up = nn.Parameter(torch.randn(wide, spec.channels, 1, 1) / spec.channels**0.5)
        self.depthwise = nn.Parameter(torch.randn(wide, 1, LARGEST, LARGEST) / LARGEST)
        self.transform = nn.Parameter(torch.eye(9))
        self.down = nn.Parameter(torch.randn(spec.channels, wide, 1, 1) / wide**0.5)

    def forward(self, x: Tensor, gates: Gates) -> Tensor:
        """The sum over all that is active, each weighted by the product of its weights."""
        terms = [(weight, self.one(x, arch)) for weight, arch in ways(self.choices, gates)]
        first, *rest = [output if weight is None else weight * output for weight, output in terms]
        return sum(rest, first)

    def one(self, x: Tensor, arch: Arch) -> Tensor:
        if not self.spec.runs(arch):
            return x
        up, depthwise, down = self.weights(arch)
        inner = conv2d(conv2d(x, up).relu(), depthwise, padding=depthwise.shape[-1] // 2, groups=len(depthwise))
        return x + batch_norm(conv2d(inner.relu(), down), None, None, training=True, eps=self.norm.eps)

    def weights(self, arch: Arch) -> tuple[Tensor, Tensor, Tensor]:
        width = int(arch[self.spec.expansion]) * self.spec.channels
        depthwise = self.depthwise[:width]
        if arch[self.spec.kernel] == "3":
            depthwise = (depthwise[:, :, CENTRE, CENTRE].flatten(2) @ self.transform).unflatten(2, (3, 3))
        return self.up[:width], depthwise, self.down[:, :width]

    def own(self, choice: str) -> Iterable[nn.Parameter]:
        if choice == self.spec.kernel:
            return [self.depthwise, self.transform]
        if choice == "depth" and self.spec.number == 0:  # it runs at any depth
            return []
        return self.parameters()

    def used(self, gates: Gates) -> list[nn.Module]:
        return [self]

    @torch.no_grad()
    def alone(self, arch: Arch) -> nn.Module:
        if not self.spec.runs(arch):
            return nn.Identity()
        up, depthwise, down = self.weights(arch)
        width, channels, kernel = len(up), self.spec.channels, depthwise.shape[-1]
        layers = [
            Conv2d(channels, width, 1, bias=False),
            Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=False),
            Conv2d(width, channels, 1, bias=False),
        ]
        for layer, weight in zip(layers, (up, depthwise, down), strict=True):
            layer.weight = nn.Parameter(weight.clone())
        norm = replace(self.norm, affine=False)(channels)
        return Residual(nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2], norm))


def ways(choices: Sequence[str], gates: Gates) -> Iterator[tuple[Tensor | None, Arch]]:
    """Every combination of what is active, with the product of its weights."""
    named = [choice for choice in choices if choice in gates and gates[choice].active]
    for combination in product(*(weighted(gates[choice]) for choice in named)):
        weights = [weight for weight, _ in combination if weight is not None]
        arch = dict(zip(named, (name for _, name in combination), strict=True))
        yield (torch.stack(weights).prod() if weights else None), arch


def weighted(gate: Gate) -> list[tuple[Tensor | None, str]]:
    weights = [None] * len(gate.active) if gate.weight is None else gate.weight.unbind()
    return list(zip(weights, gate.active, strict=True))


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x + self.inner(x)
        return output


@builds(Elastic)
class ElasticBlock(BlockModule):
    def __init__(self, spec: Elastic, region: Region, operations: Operations) -> None:
        super().__init__()
        self.place: Place = ElasticPlace(spec, operations.norm)

    def forward(self, history: History, gates: Gates) -> History:
        return [self.place(history[-1], gates)]


class ToyElastic(Space):
    """Three elastic layers; an architecture that is shallow leaves out the kernels and expansions behind it."""

    name = "toyelastic"
    paper_size = NetworkSize(4, 1)

    def __init__(self) -> None:
        layers = [(Choice(f"kernel{i}", KERNELS), Choice(f"expansion{i}", EXPANSIONS)) for i in range(3)]
        self.choices = (Choice("depth", DEPTHS), *(choice for pair in layers for choice in pair))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        width = size.channels
        layers = [(f"layer{i}", Elastic(i, width)) for i in range(3)]
        return Layout(
            (("stem", Fixed("conv_3x3_bn", image_channels, width)), *layers),
            width,
            ends=("stem",),
            norm=Norm(affine=False),
        )

    def format(self, arch: Arch) -> str:
        return " ".join(f"{choice.name}={arch[choice.name]}" for choice in self.choices if choice.name in arch)

    def parse(self, text: str) -> Arch:
        return dict(part.split("=") for part in text.split())


class RaggedElastic(ToyElastic):
    """The same, with architectures that name only what runs: depth, kernels and expansions are one part."""

    name = "raggedelastic"

    def parts(self, region: Region) -> list[list[Arch]]:
        return [[arch for depth in region.allowed["depth"] for arch in deep(region, depth)]]


def deep(region: Region, depth: str) -> Iterator[Arch]:
    """Every way to choose at a depth."""
    names = [f"{kind}{number}" for number in range(int(depth)) for kind in ("kernel", "expansion")]
    for candidates in product(*(region.allowed[name] for name in names)):
        yield {"depth": depth, **dict(zip(names, candidates, strict=True))}
