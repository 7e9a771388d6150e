"""How a leaf's architectures are judged: each batch of held-out images is shown once to each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from cleave.data.images import Images
from cleave.data.stream import Batch, InOrder
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.method import Evaluate
from cleave.net import only_live
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch
from cleave.stats.accuracy import Accuracy, Hits
from cleave.train import BATCH, Child, Evaluator


class LeafAccuracy(Evaluate, Protocol):
    """What a method derives an architecture by, and what is then told of that one."""

    def judge(self, arch: Arch) -> Accuracy:
        """On all held-out images."""


class LeafEvaluator:
    """Accuracies (percent) under a leaf's weights.

    `hits` are those known so far, by architecture. `before()` and `after(images)` are called around every batch that
    has to be looked at.
    """

    def __init__(
        self,
        trainer: NodeTrainer,
        hits: dict[str, Hits] | None = None,
        before: Callable[[], None] = lambda: None,
        after: Callable[[int], None] = lambda images: None,
    ) -> None:
        self.trainer, self.known = trainer, {} if hits is None else hits
        self.before, self.after = before, after
        self.evaluator = Evaluator(BATCH, chunk=1, half=trainer.problem.recipe.precision == "bfloat16")
        self.images = self.batches_of(trainer.problem.valid)

    def batches_of(self, images: Images, size: int | None = None) -> InOrder:
        """Images, not augmented, in the batches that they are judged in."""
        problem = self.trainer.problem
        return InOrder(images, size or problem.recipe.search.eval_batch_size, problem.normalise)

    @property
    def batches(self) -> int:
        return len(self.images)

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        seen = self.batches if batches is None else batches
        return 100 * sum(self._hits(arch, seen).batches[:seen]) / self.images.first(seen)

    def judge(self, arch: Arch) -> Accuracy:
        return Accuracy.of(self._hits(arch, self.batches).classes, self.trainer.problem.held_out_per_class)

    def _hits(self, arch: Arch, seen: int) -> Hits:
        """Those of an architecture, on that many batches at least."""
        hits = self.known.setdefault(self.trainer.problem.space.format(arch), Hits())
        for number in range(len(hits.batches), seen):
            self.before()
            batch = self.images[number]
            hits.add(self.hits(arch, [batch]))
            self.after(len(batch[1]))
        return hits

    def hits(self, arch: Arch, batches: Sequence[Batch]) -> list[int]:
        """How many images of each class `arch` gets right; nothing is known before or kept."""
        child = Child(self.trainer.network, only_live(self.trainer.setup.layout, arch))

        def work(batches: Sequence[Batch]) -> list[int]:
            by_class: list[int] = self.evaluator.hits([child], batches)[0].tolist()
            return by_class

        return within_memory(partial(work, batches), partial(self._too_large, work))

    def _too_large(self, work: Callable[[Sequence[Batch]], object]) -> OutOfMemory:
        """What to say where a batch that is judged does not fit into memory."""
        problem = self.trainer.problem

        def attempt(size: int) -> None:
            work([self.batches_of(problem.valid, size)[0]])

        size, key = problem.recipe.search.eval_batch_size, "search.eval_batch_size"
        others = problem.recipe.space.smaller_by
        return too_large(f"leaf {self.trainer.scope.label}", key, size, others, attempt, problem.recipe.device)

    def accuracy(self, arch: Arch, images: Images) -> float:
        """Percent of some images that `arch` gets right."""
        return 100 * sum(self.hits(arch, self.batches_of(images))) / len(images)


class StandaloneEvaluator:
    """The same where an architecture is trained before it is judged: the images come in one piece."""

    batches = 1

    def __init__(self, judge: Callable[[Arch], Accuracy]) -> None:
        self.judge = judge

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        return self.judge(arch).overall
