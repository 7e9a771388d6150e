"""Candidates are alike that leave the features of a supernet of a like dimension, layer by layer (NAS-LID, 2023)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from cleave.net import Gates
from cleave.settings import Recipe, SplitSettings
from cleave.space import Space
from cleave.split.gradient import beside
from cleave.split.pairwise import ComparedNode, Forward, Pairwise, nearness
from cleave.split.splitters import splitter


class DimensionSettings(SplitSettings):
    """Splitting by local intrinsic dimensions."""

    splitter: str = "dimension"
    # Images next to each by whose distances a dimension is estimated; of a mini-batch, which has to have more.
    neighbours: Annotated[int, Field(strict=True, ge=2, le=10**6)] = 20


@splitter("dimension", "lid", "nas-lid", "intrinsic-dimension")
class DimensionDistance(Pairwise):
    """By the Euclidean distance of what the blocks' dimensions are on average, from forward passes alone."""

    settings_class = DimensionSettings
    backward = False
    meaningless = ("similarity", "average", "rule", "shared")
    what = "a dimension of features"

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        asked, size = recipe.split, recipe.search.batch_size
        assert isinstance(asked, DimensionSettings)
        if asked.neighbours < size:
            return None
        return f"split.neighbours={asked.neighbours} must be below search.batch_size={size}"

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        return nearness(torch.stack([dimensions(node, choice, number) for number in numbers]).mean(dim=0))


@torch.no_grad()
def dimensions(node: ComparedNode, choice: str, number: int) -> Tensor:
    """Of the output of each block under each candidate, [candidates, blocks], the mean over a mini-batch's images."""
    gates, answer, own_weight = node.probe(number).gates, node.logits(number), node.settings.enable == "own"
    blocks, count = node.network.blocks.values(), node.settings.neighbours
    rows = [
        profile(answer, beside(gates, choice, candidate, own_weight), blocks, count)
        for candidate in node.region.allowed[choice]
    ]
    return torch.stack(rows)


def profile(answer: Forward, gates: Gates, blocks: Iterable[nn.Module], neighbours: int) -> Tensor:
    """The mean local dimension of what each block gives in a pass, [blocks], float64."""
    found: list[Tensor] = []

    def see(block: nn.Module, inputs: object, history: list[Tensor]) -> None:
        found.append(local_dimensions(history[-1].flatten(1).double(), neighbours).mean())

    hooks = [block.register_forward_hook(see) for block in blocks]
    try:
        answer(gates)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found)


def local_dimensions(points: Tensor, neighbours: int) -> Tensor:
    """The intrinsic dimension around each of [n, numbers], estimated by maximum likelihood: [n].

    1 / mean of log(r_k / r_j), j < k, with r_j the distance of the j-th of k neighbours (Levina & Bickel, 2005). 0 for
    a point that coincides with one of these, and never more than there are numbers. Where there are too few points,
    all others are neighbours.
    """
    count = min(neighbours, len(points) - 1)
    if count < 2:
        return points.new_zeros(len(points))
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    radii = distances.topk(count + 1, largest=False).values[:, 1:]  # without the point itself
    spreads = (radii[:, -1:] / radii[:, :-1]).log().mean(dim=1)
    return torch.where(radii[:, -1] == 0, 0.0, spreads.reciprocal()).clamp(max=points.shape[1])
