"""The split of Efficient Few-Shot NAS (Oh et al., AAAI 2025, arXiv 2412.14678): copies of weights by depth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from cleave.settings import Positive, Recipe, SplitSettings
from cleave.space import Layout, Space
from cleave.space.weight_copies import can_be_copied, copied, deepest
from cleave.split.splitters import Unsplit, splitter

PUBLISHED = (15 / 45, 20 / 45)
"""The thresholds of three copies, as parts of the deepest architecture: three convolutions in each of 15 cells."""


class WeightCopiesSettings(SplitSettings):
    """One supernet whose blocks have copies of their weights."""

    splitter: str = "weight-copies"
    # An architecture uses the first copy of a block until it is deeper there than the first threshold, in convolutions
    # one after the other, then the second one, and so on. null: a third and four ninths of the most (the paper's 15 and
    # 20 of 45).
    thresholds: Annotated[list[Positive], Field(min_length=1)] | None = None


@splitter("weight-copies", "copies")
class WeightCopiesSplit(Unsplit):
    """One supernet for the whole space, in which architectures share a block's weights if they are as deep there.

    The tree has one leaf. A network has the same weights as any, but more of them are kept.
    """

    settings_class = WeightCopiesSettings
    single = True

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        layout = space.layout(recipe.space.size, 3)
        if not can_be_copied(layout):
            return (
                f"a kind of block of {space.name} has no copies of its weights (`Block.copied`); use another splitter"
            )
        assert isinstance(recipe.split, WeightCopiesSettings)
        return faulty(recipe.split.thresholds, deepest(layout, space.region.allowed))

    @classmethod
    def resolved(cls, recipe: Recipe, space: Space) -> SplitSettings:
        assert isinstance(recipe.split, WeightCopiesSettings)
        if recipe.split.thresholds is not None:
            return recipe.split
        most = deepest(space.layout(recipe.space.size, 3), space.region.allowed)
        return recipe.split.model_copy(update={"thresholds": usual(most)})

    @classmethod
    def supernet(cls, settings: SplitSettings, layout: Layout) -> Layout:
        assert isinstance(settings, WeightCopiesSettings)
        assert settings.thresholds is not None, "the recipe was resolved"
        return copied(layout, settings.thresholds)


def usual(most: int) -> list[int]:
    """The published thresholds, where the deepest architecture has so many convolutions one after the other."""
    return sorted({max(1, round(part * most)) for part in PUBLISHED})


def faulty(thresholds: Sequence[int] | None, most: int) -> str | None:
    """What is wrong with them, for people; None where nothing is."""
    if most < 2:
        return f"no architecture has more than {most} convolutions one after the other; use another splitter"
    if thresholds is None:
        return None
    told = f"split.thresholds={list(thresholds)}"
    if not all(one < other for one, other in pairwise(thresholds)):
        return f"{told} do not rise; give each number once and the smallest first, as in [15, 20]"
    if thresholds[-1] >= most:
        return (
            f"{told}: no architecture has more than {most} convolutions one after the other, so that none would use "
            "the last copy; give smaller thresholds"
        )
    return None
