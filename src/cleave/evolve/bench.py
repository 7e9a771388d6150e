"""Where the architectures of one leaf are measured, by the weights that the search gave them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from cleave.data.chance import Chance
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.evolve.part import Part
from cleave.evolve.question import EvolveQuestion
from cleave.evolve.shifted import Known
from cleave.net import Gates
from cleave.net.cost import Costs
from cleave.rank.evaluate import PIECE, Exam, accuracies, losses
from cleave.rank.judge import batches_of, once_each
from cleave.search.finished import FinishedRun
from cleave.search.problem import prices
from cleave.search.selection import interval
from cleave.space import Arch, Layout, Region, Space, find_space
from cleave.split import Node

ACCURACY, LOSS, CHECKED = "accuracy", "loss", "checked"
"""What is measured: percent right and cross entropy on the images that are gone by, percent right on the others."""


class Diverged(UserError):
    """Weights were shifted too far to go on."""


class Bench:
    """Measures architectures of a leaf, each once; what it finds is kept in `part`.

    `network` has the weights that it measures by, and `known` what was found by them; at first those of the run.
    """

    def __init__(
        self, run: FinishedRun, leaf: Node, question: EvolveQuestion, part: Part, callback: Callback, stop: Stop
    ) -> None:
        self.run, self.problem, self.leaf, self.question, self.part = run, run.problem, leaf, question, part
        self.callback, self.stop, self.done, self.total = callback, stop, 0, 0
        (self.network,), self.known = run.networks(leaf, 1), part.known
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

    def under(self, weights: Mapping[str, Tensor], known: Known) -> None:
        """From here on it measures by these weights, and what it finds is kept in `known`."""
        self.network.load_state_dict(weights)
        self.known = known

    def found(self, arch: Arch) -> dict[str, Any]:
        """What an architecture that was found does on the images that it was found by, and on the others."""
        (accuracy,), (checked,) = (self.measured(what, [arch], "found", "found") for what in (ACCURACY, CHECKED))
        return {
            "accuracy": accuracy,
            "images": self.exam.images,
            "checked_accuracy": checked,
            "checked_images": self.checking.images,
            "interval": list(interval(checked, self.checking.images)),
        }

    def measured(self, what: str, archs: Sequence[Arch], purpose: str, doing: str) -> list[float]:
        """Figures of architectures of the leaf, in their order; Interrupted when asked to stop, Diverged where weights
        were shifted too far.

        purpose: what their images are counted under. doing: what people are told meanwhile.
        """
        known = self.known.setdefault(what, {})
        texts = [self.space.format(arch) for arch in archs]
        new = sorted({text: arch for text, arch in zip(texts, archs, strict=True) if text not in known}.items())
        self.done += len(archs) - len(new)
        at_once = PIECE * self.threads
        for some in (new[start : start + at_once] for start in range(0, len(new), at_once)):
            figures = once_each(self.layout, [arch for _, arch in some], partial(self._run, what, doing))
            if self.known is not self.part.known and not all(map(isfinite, figures)):
                raise self.diverged("a held-out loss")
            known |= dict(zip((text for text, _ in some), figures, strict=True))
            self._count(what, purpose, len(some))
            self.part.save_sometimes()
        return [known[text] for text in texts]

    def diverged(self, what: str) -> Diverged:
        """The error for something that is not finite any more."""
        return Diverged(
            f"--shift={self.question.shift}: {what} of leaf {self.leaf.label} is not finite any more; give a smaller "
            "rate (the same command then goes on from what was measured before the first shift)"
        )

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
        exam = self.checking if what == CHECKED else self.exam
        for key, images in ((purpose, exam.images), ("calibration", self.judging.images)):
            self.part.count(key, architectures * images)


def images_of(question: EvolveQuestion, held_out: int) -> int:
    """How many of the held-out images an evolution goes by; UserError where none is left."""
    count = held_out // 2 if question.images is None else question.images
    if not 0 < count < held_out:
        raise UserError(
            f"--images={count}: there are {held_out} held-out images, some of which have to be left to check by; "
            f"give at most {held_out - 1}"
        )
    return count
