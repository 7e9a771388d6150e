"""How a leaf's architectures are judged: each batch of held-out images is shown once to each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cleave.method import Evaluate
from cleave.search.accuracy import Accuracy, Hits
from cleave.search.learner import Learner
from cleave.space import Arch


class Examine(Evaluate, Protocol):
    """What a method derives an architecture by, and what is then told of that one."""

    def judge(self, arch: Arch) -> Accuracy:
        """On all held-out images."""


class Exam:
    """Accuracies (percent) under a leaf's weights.

    `hits` are those known so far, by architecture. `before()` and `after(images)` are called around every batch that
    has to be looked at.
    """

    def __init__(
        self, learner: Learner, hits: dict[str, Hits], before: Callable[[], None], after: Callable[[int], None]
    ) -> None:
        self.learner, self.known = learner, hits
        self.before, self.after = before, after
        self.images = learner.exam()

    @property
    def batches(self) -> int:
        return len(self.images)

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        seen = self.batches if batches is None else batches
        return 100 * sum(self._hits(arch, seen).batches[:seen]) / self.images.first(seen)

    def judge(self, arch: Arch) -> Accuracy:
        return Accuracy.of(self._hits(arch, self.batches).classes, self.learner.problem.held_out_per_class)

    def _hits(self, arch: Arch, seen: int) -> Hits:
        """Those of an architecture, on that many batches at least."""
        hits = self.known.setdefault(self.learner.problem.space.format(arch), Hits())
        for number in range(len(hits.batches), seen):
            self.before()
            batch = self.images[number]
            hits.add(self.learner.hits(arch, [batch]))
            self.after(len(batch[1]))
        return hits


class Trained:
    """The same where an architecture is trained before it is judged: the images come in one piece."""

    batches = 1

    def __init__(self, judge: Callable[[Arch], Accuracy]) -> None:
        self.judge = judge

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        return self.judge(arch).overall
