"""One builder for the supernet, its sub-supernets and stand-alone networks: they differ only in the region."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

import cleave.net.blocks
import cleave.net.elastic  # noqa: F401  the same
from cleave.net.gates import Gates
from cleave.net.noise import Dropout, Noise
from cleave.net.place import History, make_block, places
from cleave.ops import Norm, Operations
from cleave.ops.convolution import warn_of_faulty
from cleave.space import Arch, Auxiliary, Layout, Region
from cleave.torch_state import seeded


class Outputs(NamedTuple):
    """Logits [n, classes], and those of the auxiliary head where there is one."""

    logits: Tensor
    auxiliary: Tensor | None


class AuxiliaryHead(nn.Module):
    """A classifier of what a block gives."""

    def __init__(self, spec: Auxiliary, operations: Operations, classes: int) -> None:
        super().__init__()
        self.op = operations.make(spec.operation, spec.channels_in, spec.features, 1)
        self.classifier = nn.Linear(spec.features, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.op(x).mean(dim=(2, 3)))
        return logits


class Network(nn.Module):
    """Blocks in order, then the layout's head. It keeps no mode, no mask, no active subnet.

    `region` is what it was built for, `noise` what `cleave.net.noisy` does to it.
    """

    noise: Noise | None = None

    def __init__(self, layout: Layout, region: Region, classes: int, norm: Norm) -> None:
        super().__init__()
        self.layout, self.region = layout, region
        operations, always = Operations(layout.operations, norm), Operations(layout.operations, norm).affine()
        self.blocks = nn.ModuleDict({name: make_block(name, spec, region, operations) for name, spec in layout.blocks})
        layers = ((spec.operation, spec.channels_in, spec.channels_out, spec.stride) for spec in layout.head.layers)
        self.head = nn.Sequential(*(always.make(*layer) for layer in layers))
        self.dropout = Dropout(layout.classified, layout.head.dropout)
        self.classifier = nn.Linear(layout.classified, classes)
        self.auxiliary = AuxiliaryHead(layout.auxiliary, always, classes) if layout.auxiliary else None

    def forward(self, images: Tensor, gates: Gates) -> Tensor:
        """Logits [n, classes] of images [n, channels, height, width], running the gates' active candidates."""
        return self.classify(self._through(images, gates)[0])

    def heads(self, images: Tensor, gates: Gates) -> Outputs:
        """The same, beside those of the auxiliary head: for training."""
        history, seen = self._through(images, gates)
        return Outputs(self.classify(history), None if self.auxiliary is None else self.auxiliary(seen))

    def _through(self, images: Tensor, gates: Gates) -> tuple[History, Tensor]:
        """The last blocks' outputs, and what the auxiliary head sees."""
        if self.noise is not None:
            self.noise.draw(len(images), images.device)
        history = [images.contiguous(memory_format=torch.channels_last)]  # what convolutions run fastest on
        seen = history[0]
        for name, block in self.blocks.items():
            history = block(history, gates)
            if self.layout.auxiliary is not None and name == self.layout.auxiliary.after:
                seen = history[-1]
        return history, seen

    def classify(self, history: History) -> Tensor:
        """Logits of the last blocks' outputs; ValueError where they have other channels than the layout says."""
        pooled = history[-1].mean(dim=(2, 3))
        if pooled.shape[1] != self.layout.features:
            raise ValueError(
                f"head: the last block gives {pooled.shape[1]} channels, and Layout.features={self.layout.features}"
            )
        if len(self.head):
            pooled = self.head(pooled[:, :, None, None]).flatten(1)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


def build(
    layout: Layout, region: Region, classes: int, seed: int, norm: Norm | None = None, device: str = "cpu"
) -> Network:
    """The region's network, its weights drawn from `seed` alone.

    `norm` is of what is searched; None: as the layout says of a supernet.
    """
    with seeded(seed):
        network = Network(layout, region, classes, norm or layout.shared)
    warn_of_faulty(network)
    return network.to(device)


def extract(network: Network, arch: Arch) -> Network:
    """A network of its own for one architecture, with the weights that it has in a supernet and no others.

    Under `one_hot(arch)` its outputs are those of the supernet.
    """
    alone = deepcopy(network)
    for name, place in places(alone).items():
        alone.set_submodule(name, place.extract(arch))
    alone.region = Region.of(arch)
    return alone


def build_alone(layout: Layout, arch: Arch, classes: int, seed: int, device: str = "cpu") -> Network:
    """The network of one architecture that is trained by itself: it has running statistics, and nothing that it could
    share with others."""
    norm = replace(layout.norm, running=True)
    return extract(build(layout, Region.of(arch), classes, seed, norm, device), arch)


@torch.no_grad()
def inherit(network: Network, supernet: Network, arch: Arch) -> None:
    """Puts into a network that was built alone, of `Layout.inheriting`, the weights that it has in a supernet.

    What the supernet lacks stays as it was: affine parameters of normalisations, running statistics. So does an
    auxiliary head.
    """
    taken = extract(supernet, arch)
    taken.auxiliary = None
    network.load_state_dict({**network.state_dict(), **taken.state_dict()})


def count_parameters(network: nn.Module) -> int:
    """The number of trainable numbers."""
    return sum(parameter.numel() for parameter in network.parameters())
