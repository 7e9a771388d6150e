"""A network that takes images as they are, for whoever uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from cleave.net.gates import one_hot
from cleave.net.network import Network, build_alone, extract
from cleave.space import Arch, Layout


class ChosenNetwork(nn.Module):
    """One architecture with the weights that it had in a network, which normalises the images itself.

    Trained by itself it goes by running statistics in evaluation mode. Out of a search's supernet, which has none,
    its batch normalisations go by the batch that they get, in evaluation too, so that an answer depends on the images
    beside it; the search judged in batches of `search.eval_batch_size`, and in the recipe's `precision`, while this
    computes in float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, arch: Arch, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = extract(network, arch)
        self.gates = one_hot(arch)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, classes] of images [n, channels, size, size], uint8 or floats in 0 to 1."""
        pixels = images.float().div(255) if images.dtype == torch.uint8 else images
        logits: Tensor = self.network(pixels.sub(self.mean).div(self.std), self.gates)
        return logits


def standalone(
    layout: Layout, arch: Arch, classes: int, weights: Mapping[str, Tensor], mean: Sequence[float], std: Sequence[float]
) -> ChosenNetwork:
    """That of an architecture trained by itself, in evaluation mode. `weights`: of its network, as it is used."""
    network = build_alone(replace(layout, auxiliary=None), arch, classes, seed=0)
    network.load_state_dict(weights)
    return ChosenNetwork(network, arch, mean, std).eval()
