"""How a leaf is judged: each held-out batch is shown once to each of its architectures, and to its supernet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.data.images import Images
from cleave.data.stream import Batch, InOrder
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.method import Evaluate
from cleave.net import only_live
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch
from cleave.stats.accuracy import Accuracy, Hits
from cleave.train import Child


class Mixture(NamedTuple):
    """How a leaf's supernet does as its method runs it: mean cross entropy and percent right of the held-out images."""

    loss: float
    accuracy: float


class LeafAccuracy(Evaluate, Protocol):
    """What a method derives an architecture by, and what is then told of that one."""

    def judge(self, arch: Arch) -> Accuracy:
        """On all held-out images."""

    def mixture(self) -> Mixture | None:
        """Of the leaf's supernet; None where it has none."""


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
        self.evaluator = trainer.evaluator
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

    def mixture(self) -> Mixture:
        """Of the supernet under the gates of its method, on all held-out images; nothing is known before or kept.

        A method that draws its gates draws new ones for each batch, as in training.
        """
        loss, right = 0.0, 0
        for number in range(self.batches):
            self.before()
            logits, labels = self._mixed(number)
            loss += cross_entropy(logits.double(), labels, reduction="sum").item()
            right += int((logits.argmax(dim=1) == labels).sum())
        self.trainer.weights.check(loss)
        images = len(self.trainer.problem.valid)
        return Mixture(loss / images, 100 * right / images)

    def _mixed(self, number: int) -> tuple[Tensor, Tensor]:
        """Logits of the supernet, and labels, of one batch."""
        child = Child(self.trainer.network, self.trainer.own_gates(number))

        def work(batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
            ((_, logits, labels),) = self.evaluator.logits([child], batches)
            return logits, labels

        return within_memory(partial(work, [self.images[number]]), partial(self._too_large, work))

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

    def mixture(self) -> None:
        """There is no supernet."""
