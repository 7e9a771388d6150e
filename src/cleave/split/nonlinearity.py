"""Candidates are alike that make the architecture equally deep (after Oh et al., AAAI 2025, arXiv 2412.14678)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from cleave.settings import Recipe
from cleave.space import Arch, Space
from cleave.space.nonlinearity import Nonlinearity
from cleave.split.metric import CompletionSettings, mean_figures
from cleave.split.pairwise import ComparedNode, Pairwise, nearness
from cleave.split.splitters import SCORED, splitter


class NonlinearitySettings(CompletionSettings):
    """Splitting by the depth of architectures."""

    splitter: str = "nonlinearity"


@splitter("nonlinearity", "depth")
class NonlinearityDistance(Pairwise):
    """By the difference of the mean numbers of convolutions on the deepest way (`cleave.space.nonlinearity`).

    It divides a choice's candidates, as any criterion. The paper's own way is `cleave.split.weight_copies`.
    """

    settings_class = NonlinearitySettings
    meaningless = SCORED

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        if Nonlinearity.of(space.layout(space.paper_size, 3)) is not None:
            return None
        return f"a kind of block of {space.name} does not tell how deep it is (`Block.deepest`); use another splitter"

    @classmethod
    def looks(cls, settings: Any) -> int:  # noqa: ANN401
        return int(settings.completions)

    @classmethod
    def passes(cls, settings: Any) -> int:  # noqa: ANN401
        return 0

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        count = Nonlinearity.of(node.network.layout)
        assert count is not None, "refused before"

        def depth(node: ComparedNode, arch: Arch, number: int) -> float:
            return count(arch)

        return nearness(mean_figures("split.splitter=nonlinearity", depth, node, choice, numbers))
