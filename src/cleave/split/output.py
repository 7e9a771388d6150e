"""Candidates are alike with which a trained supernet answers alike (after Roshtkhari et al., arXiv 2503.21061)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from cleave.split.gradient import beside
from cleave.split.pairwise import ComparedNode, Pairwise, nearness
from cleave.split.splitters import splitter


@splitter("output")
class OutputDistance(Pairwise):
    """By the distance of the logits of an image, the mean over images and over what runs beside the candidates.

    That is what gradient matching runs beside them: a random path, or the mixture of a method that has one.
    """

    backward = False
    meaningless = ("similarity", "average", "rule", "shared")
    what = "an output"

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        return torch.stack([nearness(outputs(node, choice, number)) for number in numbers]).mean(dim=0)


@torch.no_grad()
def outputs(node: ComparedNode, choice: str, number: int) -> Tensor:
    """Logits [candidates, images, classes] of a mini-batch under each candidate."""
    gates, answer, own_weight = node.probe(number).gates, node.logits(number), node.settings.enable == "own"
    rows = [answer(beside(gates, choice, candidate, own_weight)) for candidate in node.region.allowed[choice]]
    return torch.stack(rows)
