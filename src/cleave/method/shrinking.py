"""Progressive shrinking (Cai et al., "Once-for-All", 2020): the largest network first, then ever smaller ones, which
learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from cleave.errors import UserError
from cleave.method.base import StepContext, method
from cleave.method.once_for_all import OnceForAll, OnceForAllSettings, extreme
from cleave.method.phase import Lesson, Phase, shared_out
from cleave.net import one_hot
from cleave.space import Region
from cleave.space.elastic import among_largest

FULL = Phase(185, 2.6, rise=5, largest={"k": 1, "d": 1, "e": 1})
SHRINKING = (
    Phase(125, 0.96, rise=5, largest={"d": 1, "e": 1}, keeps=True),
    Phase(25, 0.08, networks=2, largest={"d": 2, "e": 1}),
    Phase(125, 0.24, rise=5, networks=2, largest={"e": 1}),
    Phase(25, 0.08, networks=4, largest={"e": 2}, sorts=True),
    Phase(125, 0.24, rise=5, networks=4, sorts=True),
)
"""As published, for batches of 2,048 images."""


class ShrinkingSettings(OnceForAllSettings):
    """Progressive shrinking. `learning_rate` is that of the largest network's phase; the rates of the other phases are
    as high beside it as published, and each falls to `learning_rate_min`. `learning_rate_warmup` is of what is trained
    alone: phases have rises of their own."""

    name: Literal["shrinking"] = "shrinking"
    full: Annotated[float, Field(gt=0, lt=1)] = 0.3  # share of the epochs in which the largest network is trained alone
    taught: Annotated[float, Field(ge=0)] = 1.0  # weight of the teacher's answers beside that of the labels, which is 1


@method(ShrinkingSettings)
class Shrinking(OnceForAll):
    """Phase by phase: the largest network; then kernels, depths and expansions, whose channels are sorted first.

    Where nodes are split, the root trains the largest network and then kernels; all others go on from the largest.
    """

    restarts_from_teacher = own_rates = True

    @classmethod
    def resolved(cls, settings: ShrinkingSettings, epochs: int) -> ShrinkingSettings:
        if epochs < (least := 1 + len(SHRINKING)):
            raise UserError(f"search.epochs={epochs}: method.name=shrinking has {least} phases; give {least} or more")
        return settings

    @staticmethod
    def paths_each(settings: ShrinkingSettings) -> int:  # type: ignore[override]
        """On average, to the next whole number."""
        published = (FULL, *SHRINKING)
        return round(sum(each.epochs * each.networks for each in published) / sum(each.epochs for each in published))

    def phases(self, epochs: int, searching: bool, taught: bool) -> list[Phase]:
        """With a teacher the largest network is not trained again; before a split only kernels shrink."""
        if self.region.alone:
            return []
        published = list(SHRINKING if searching else SHRINKING[:1])
        if not taught:
            share = self.settings.full / (1 - self.settings.full)
            published.insert(0, replace(FULL, epochs=round(share * sum(each.epochs for each in published))))
        published = published[:epochs]  # a warm-up may have one epoch
        rate = self.settings.learning_rate / FULL.learning_rate
        return [
            replace(
                each,
                epochs=own,
                learning_rate=max(rate * each.learning_rate, self.settings.learning_rate_min),
                lowest=self.settings.learning_rate_min,
                rise=round(own * each.rise / each.epochs),
            )
            for each, own in zip(published, shared_out(epochs, [each.epochs for each in published]), strict=True)
        ]

    def within(self, phase: Phase) -> Region:
        return Region({choice: among_largest(each, phase.largest) for choice, each in self.region.allowed.items()})

    def lessons(self, context: StepContext) -> Sequence[Lesson]:
        phase = context.phase
        if phase is None or phase.largest == FULL.largest:
            return [Lesson(self.largest)]
        teacher = one_hot(extreme(self.space, self.space.region, largest=True))
        drawn = [self.drawn(context.generator, self.within(phase)) for _ in range(phase.networks)]
        return [Lesson(gates, taught=self.settings.taught, teacher=teacher) for gates in drawn]
