"""How a leaf's architectures are judged: each batch of held-out images is shown once to whom it may concern."""

from __future__ import annotations

from collections.abc import Callable

from cleave.search.learner import Learner
from cleave.space import Arch


class Exam:
    """Accuracies (percent) under a leaf's weights: `cleave.method.Evaluate`.

    `hits` are those known so far, by architecture and batch. `before()` and `after(images)` are called around every
    batch that has to be looked at.
    """

    def __init__(
        self, learner: Learner, hits: dict[str, list[int]], before: Callable[[], None], after: Callable[[int], None]
    ) -> None:
        self.learner, self.known = learner, hits
        self.before, self.after = before, after
        self.images = learner.exam()

    @property
    def batches(self) -> int:
        return len(self.images)

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        seen = self.batches if batches is None else batches
        hits = self.known.setdefault(self.learner.problem.space.format(arch), [])
        for number in range(len(hits), seen):
            self.before()
            batch = self.images[number]
            hits.append(self.learner.hits(arch, [batch]))
            self.after(len(batch[1]))
        return 100 * sum(hits[:seen]) / self.images.first(seen)


class Trained:
    """The same where an architecture is trained before it is judged: the images come in one piece."""

    batches = 1

    def __init__(self, evaluate: Callable[[Arch], float]) -> None:
        self.evaluate = evaluate

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        return self.evaluate(arch)
