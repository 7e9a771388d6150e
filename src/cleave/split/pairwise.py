"""Splitting by a criterion: how alike each two candidates of a choice are, then the groups that cut the least of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cleave.net import Gates, Network
from cleave.net.cost import Costs
from cleave.net.units import Image
from cleave.space import Arch, Region, Space
from cleave.split.gradient import Probe
from cleave.split.partition import Groups, min_cut
from cleave.split.splitters import SplitRequest, Splitter, lowest, splittable
from cleave.split.tree import Split

Forward = Callable[[Gates], Tensor]
"""Gates -> logits [n, classes] of some images."""


@dataclass(frozen=True)
class ComparedNode:
    """What a criterion sees of a node; it changes nothing of it. `settings` are those of the splitter.

    What has a number is the same whenever it is asked for, whatever the choice, so that comparisons are paired.
    """

    network: Network
    space: Space
    region: Region
    settings: Any
    image: Image
    """The size of an image: channels, height, width."""
    probe: Callable[[int], Probe]
    """A mini-batch, with the gates that run beside the candidates."""
    logits: Callable[[int], Forward]
    """What the network answers on the images of that mini-batch."""
    completion: Callable[[int], Arch]
    """A random architecture of the region in which as many choices act as can."""
    costs: Callable[[], Costs]
    """What architectures cost, at the size of the search."""


class Pairwise(Splitter):
    """The groups that cut the least similarity; every choice that can be split is compared.

    A new criterion is one class: its facts, and `compare`.
    """

    scores = True
    what = "what is compared"
    """In the message where it is not finite."""

    @classmethod
    @abstractmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        """How alike the choice's allowed candidates are, symmetric [candidates, candidates], float64; distances with a
        minus (`nearness`).

        It looks once at each candidate for each of the numbers, taken one by one: between them a run may be saved.
        """

    def cut(self, similarities: Tensor, parts: int) -> Groups:
        """The groups of a choice: here the minimum balanced cut."""
        return min_cut(similarities, parts)

    def split(self, request: SplitRequest) -> Split:
        similarities = {choice: request.score(choice) for choice in splittable(request)}
        return lowest(self.chooser(request), similarities, request, self.cut)


def nearness(points: Tensor) -> Tensor:
    """Minus the Euclidean distance of each two of [candidates, ..., numbers], the mean over what is in between.

    float64 [candidates, candidates]; exactly symmetric, and 0 for equals.
    """
    points = points.double().reshape(len(points), -1, points.shape[-1])
    return 0 - torch.stack([(points - one).norm(dim=2).mean(dim=1) for one in points])
