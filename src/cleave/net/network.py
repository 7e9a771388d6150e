"""One builder for the supernet, its sub-supernets and stand-alone networks: they differ only in the region."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

import cleave.net.blocks  # noqa: F401  registers the kinds of block
from cleave.net.convolution import warn_of_faulty
from cleave.net.gates import Gates
from cleave.net.ops import Norm
from cleave.net.place import History, make_block, places
from cleave.space import Arch, Layout, Region
from cleave.torch_state import seeded


class Network(nn.Module):
    """Blocks in order, global average pooling, a linear classifier. It keeps no mode, no mask, no active subnet.

    `region` is what it was built for.
    """

    def __init__(self, layout: Layout, region: Region, classes: int, norm: Norm) -> None:
        super().__init__()
        self.region = region
        self.blocks = nn.ModuleDict({name: make_block(name, spec, region, norm) for name, spec in layout.blocks})
        self.classifier = nn.Linear(layout.features, classes)

    def forward(self, images: Tensor, gates: Gates) -> Tensor:
        """Logits [n, classes] of images [n, channels, height, width], running the gates' active candidates."""
        history = [images.contiguous(memory_format=torch.channels_last)]  # what convolutions run fastest on
        for block in self.blocks.values():
            history = block(history, gates)
        return self.classify(history)

    def classify(self, history: History) -> Tensor:
        """Logits of the last blocks' outputs."""
        logits: Tensor = self.classifier(history[-1].mean(dim=(2, 3)))
        return logits


def build(
    layout: Layout, region: Region, classes: int, seed: int, norm: Norm | None = None, device: str = "cpu"
) -> Network:
    """The region's network, its weights drawn from `seed` alone.

    Searched operations have no affine normalisation by default, as in the search phase of NAS-Bench-201 and DARTS.
    """
    with seeded(seed):
        network = Network(layout, region, classes, norm or Norm(affine=False))
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


def count_parameters(network: nn.Module) -> int:
    """The number of trainable numbers."""
    return sum(parameter.numel() for parameter in network.parameters())
