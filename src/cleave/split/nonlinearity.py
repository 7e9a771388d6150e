"""Candidates are alike that make the architecture equally deep (after Oh et al., AAAI 2025, arXiv 2412.14678)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from cleave.net import Network
from cleave.net.deepest import convolutions_deep
from cleave.space import Arch
from cleave.split.metric import CompletionSettings, mean_figures
from cleave.split.pairwise import ComparedNode, Pairwise, nearness
from cleave.split.splitters import SCORED, splitter


class NonlinearitySettings(CompletionSettings):
    """Splitting by the depth of architectures."""

    splitter: str = "nonlinearity"


@splitter("nonlinearity", "depth")
class NonlinearityDistance(Pairwise):
    """By the difference of the mean numbers of convolutions on the deepest way through what is searched.

    The paper gives cells copies of weights by that number. Here it divides a choice's candidates, as any criterion.
    """

    settings_class = NonlinearitySettings
    meaningless = SCORED

    @classmethod
    def looks(cls, settings: Any) -> int:  # noqa: ANN401
        return int(settings.completions)

    @classmethod
    def passes(cls, settings: Any) -> int:  # noqa: ANN401
        return 0

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        layout, classes = node.network.layout, node.network.classifier.out_features
        with torch.device("meta"):
            network = Network(layout, node.region, classes, layout.shared)

        def depth(node: ComparedNode, arch: Arch, number: int) -> float:
            return convolutions_deep(network, arch, node.image)

        return nearness(mean_figures("split.splitter=nonlinearity", depth, node, choice, numbers))
