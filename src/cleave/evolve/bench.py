"""Where the architectures of one leaf are measured, by the weights that the search gave them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property, partial

import torch

from cleave.data.chance import Chance
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.evolve.part import Part
from cleave.evolve.question import EvolveQuestion
from cleave.net import Gates
from cleave.net.cost import Costs
from cleave.rank.evaluate import PIECE, Exam, accuracies, losses
from cleave.rank.judge import batches_of, once_each
from cleave.search.finished import FinishedRun
from cleave.search.problem import prices
from cleave.space import Arch, Layout, Region, Space, find_space
from cleave.split import Node

ACCURACY, LOSS, CHECKED = "accuracy", "loss", "checked"
"""What is measured: percent right and cross entropy on the images that are gone by, percent right on the others."""


class Bench:
    """Measures architectures of a leaf, each once; what it finds is kept in `part`."""

    def __init__(
        self, run: FinishedRun, leaf: Node, question: EvolveQuestion, part: Part, callback: Callback, stop: Stop
    ) -> None:
        self.run, self.problem, self.leaf, self.question, self.part = run, run.problem, leaf, question, part
        self.callback, self.stop, self.done, self.total = callback, stop, 0, 0
        (self.network,) = run.networks(leaf, 1)
        self.judging = question.ranking.judging(self.problem.recipe.search)
        calibration = self.problem.calibration(Chance(self.problem.recipe.seed, leaf.label), self.judging)
        places, own = torch.randperm(len(self.problem.valid), generator=self.chance.generator("images")), self.images
        self.threads = question.threads or os.cpu_count() or 1
        self.exam, self.checking = (
            Exam(batches_of(self.problem, some), self.threads, stop, self.judging.statistics, calibration)
            for some in (places[:own], places[own:])
        )

    @property
    def chance(self) -> Chance:
        return Chance(self.question.seed, f"evolve {self.leaf.label}")

    @property
    def images(self) -> int:
        """Held-out images that the evolution goes by; UserError where they leave none to check it by."""
        return images_of(self.question, len(self.problem.valid))

    @property
    def space(self) -> Space:
        """With the limits that are asked for."""
        return self.problem.space

    @property
    def region(self) -> Region:
        return self.leaf.region

    @cached_property
    def layout(self) -> Layout:
        return self.problem.layout

    @cached_property
    def costs(self) -> Costs:
        """At the size at which limits count."""
        problem = self.problem
        return prices(problem.recipe, find_space(problem.recipe.space), problem.image, problem.classes)

    def measured(self, what: str, archs: Sequence[Arch], purpose: str, doing: str) -> list[float]:
        """Figures of architectures of the leaf, in their order; Interrupted when asked to stop.

        purpose: what their images are counted under. doing: what people are told meanwhile.
        """
        known = self.part.known.setdefault(what, {})
        texts = [self.space.format(arch) for arch in archs]
        new = sorted({text: arch for text, arch in zip(texts, archs, strict=True) if text not in known}.items())
        self.done += len(archs) - len(new)
        at_once = PIECE * self.threads
        for some in (new[start : start + at_once] for start in range(0, len(new), at_once)):
            figures = once_each(self.layout, [arch for _, arch in some], partial(self._run, what, doing))
            known |= dict(zip((text for text, _ in some), figures, strict=True))
            self._count(what, purpose, len(some))
            self.part.save_sometimes()
        return [known[text] for text in texts]

    def see(self, more: int, doing: str) -> None:
        """Tells how far it is, so many architectures beyond those that are `done`."""
        self.callback.see(Progress(self.done + more, self.total, self.leaf.label, doing))

    def _run(self, what: str, doing: str, children: Sequence[Gates]) -> list[float]:
        tell = partial(self.see, doing=doing)
        if what == LOSS:
            return losses(self.network, children, self.exam, tell)
        return accuracies([self.network], children, self.checking if what == CHECKED else self.exam, tell)

    def _count(self, what: str, purpose: str, architectures: int) -> None:
        self.done += architectures
        exam, spent = self.checking if what == CHECKED else self.exam, self.part.spent
        for key, images in ((purpose, exam.images), ("calibration", self.judging.images)):
            spent[key] = spent.get(key, 0) + architectures * images


def images_of(question: EvolveQuestion, held_out: int) -> int:
    """How many of the held-out images an evolution goes by; UserError where none is left."""
    count = held_out // 2 if question.images is None else question.images
    if not 0 < count < held_out:
        raise UserError(
            f"--images={count}: there are {held_out} held-out images, some of which have to be left to check by; "
            f"give at most {held_out - 1}"
        )
    return count
