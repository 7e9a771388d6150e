"""The network that a finished search chose, as a plain module."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from cleave.errors import UserError
from cleave.net import Network, build, extract, one_hot
from cleave.run.folder import RunFiles
from cleave.run.origin import CHECKPOINTS, SEARCH, read_origin
from cleave.run.view import newest_saved
from cleave.search.runner import recipe_of
from cleave.search.selection import chosen_leaf
from cleave.search.state import State
from cleave.space import Arch, find_space


class ChosenNetwork(nn.Module):
    """One architecture with the weights that it had in its leaf's supernet.

    It takes images of the search's size and normalises them as the search did. Its batch normalisations go by the batch
    that they get, in evaluation too, so that an answer depends on the images beside it; the search judged in batches of
    `search.eval_batch_size`, and in the recipe's `precision`, while this computes in float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, arch: Arch, mean: list[float], std: list[float]) -> None:
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


def chosen_network(path: Path) -> ChosenNetwork:
    """That of a finished run, on the CPU; UserError where its weights are lost or were not kept."""
    origin = read_origin(path, SEARCH)
    recipe, state = recipe_of(origin, {}), State.from_json(newest_saved(path)["search"], path / CHECKPOINTS)
    leaf = chosen_leaf(recipe, state)
    if leaf.label not in state.kept:
        raise UserError(f"{path}: method.name={recipe.method.name} keeps no weights; train {leaf.label}'s architecture")
    record = RunFiles(path, origin.identity).leaf(leaf.label, state.kept[leaf.label])
    space = find_space(recipe.space)
    mean, std, classes = (origin.environment[key] for key in ("mean", "std", "classes"))
    supernet = build(space.layout(recipe.space.size, len(mean)), leaf.region, classes, seed=0)
    supernet.load_state_dict(record.weights)
    assert leaf.result is not None
    return ChosenNetwork(supernet, space.parse(leaf.result["arch"]), mean, std)
