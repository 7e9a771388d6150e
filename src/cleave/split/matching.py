"""Gradient matching (GM-NAS): candidates are alike whose gradients on the weights that they share are."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from cleave.net.place import Index
from cleave.settings import SplitSettings
from cleave.split.gradient import Matching, match
from cleave.split.pairwise import ComparedNode, Pairwise
from cleave.split.share import Parameters, shared_parameters, shared_parts
from cleave.split.splitters import SplitRequest, Splitter, chooser_at, lowest, splitter
from cleave.split.tree import Split


@splitter("gradient", "gradient-matching", "gm")
class GradientMatching(Pairwise):
    """By 1 - cosine of the gradients; other similarities of gradients are `split.similarity`."""

    meaningless = ()
    what = "a gradient"

    @classmethod
    def of(cls, settings: SplitSettings, depth: int) -> Splitter:
        kind = Racing if settings.rule == "race" else cls
        return kind(chooser_at(settings, depth))

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        candidates, shared, parts = node.region.allowed[choice], shared_of(node, choice), parts_of(node, choice)
        return match(map(node.probe, numbers), choice, candidates, shared, Matching.of(node.settings), parts)


class Racing(GradientMatching):
    """The same by a race: only choices in contention are scored, each as far as it may still win."""

    def split(self, request: SplitRequest) -> Split:
        contenders = self.chooser(request)
        return lowest(contenders, request.race(contenders, request.parts), request)


def shared_of(node: ComparedNode, choice: str) -> Parameters:
    """The parameters on which the gradients of a choice's candidates are compared."""
    ends = node.network.layout.ends if node.settings.shared == "body" else ()
    return shared_parameters(node.network, choice, ends)


def parts_of(node: ComparedNode, choice: str) -> dict[str, Index]:
    """The parts of those of which the candidates share a part."""
    return shared_parts(node.network, choice, node.region.allowed[choice])
