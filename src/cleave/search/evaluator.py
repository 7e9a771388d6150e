"""How a leaf is judged: each held-out batch is shown once to each of its architectures, and to its supernet.

Where architectures have statistics of their own (`Judging`), these are measured each time that one is asked for, once
for all batches that it is then judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.data.images import Images
from cleave.data.stream import Batch, InOrder
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.method import Evaluate
from cleave.net import only_live
from cleave.search.state import SearchCost
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch, Layout
from cleave.stats.accuracy import Accuracy, Hits
from cleave.train import Child

TOGETHER, LOOK = 25, 50_000
"""Architectures that are judged together at most, and images that go through them, all in all, where statistics are
measured before: in between a search can be stopped, and tells how far it is."""

HitsByBatch = list[list[int]]
"""The images of each class that are right, [batches][classes]."""


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

    `hits` are those known so far, by architecture. `before()` and `after(cost)` are called around every look, which is
    at one batch, or at all that are asked for where statistics are measured before.
    """

    def __init__(
        self,
        trainer: NodeTrainer,
        hits: dict[str, Hits] | None = None,
        before: Callable[[], None] = lambda: None,
        after: Callable[[SearchCost], None] = lambda cost: None,
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
        return self.many([arch], batches)[0]

    def many(self, archs: Sequence[Arch], batches: int | None = None) -> list[float]:
        seen = self.batches if batches is None else batches
        self._look(archs, seen)
        images = self.images.first(seen)
        return [100 * sum(self._known(arch).batches[:seen]) / images for arch in archs]

    def judge(self, arch: Arch) -> Accuracy:
        self._look([arch], self.batches)
        return Accuracy.of(self._known(arch).classes, self.trainer.problem.held_out_per_class)

    def _known(self, arch: Arch) -> Hits:
        return self.known.setdefault(self.trainer.problem.space.format(arch), Hits())

    def _look(self, archs: Sequence[Arch], seen: int) -> None:
        """Until each of them is known on that many batches; those that begin alike are looked at together."""
        distinct = {self.trainer.problem.space.format(arch): arch for arch in archs}
        in_order = alike_together(self.trainer.setup.layout, list(distinct.values()))
        calibrated, calibration = self.evaluator.statistics.calibrated, self.trainer.problem.judging.images
        most = max(1, LOOK // (self.images.first(seen) + calibration)) if calibrated else TOGETHER
        for piece in pieces(in_order, min(TOGETHER, most)):
            while left := [arch for arch in piece if len(self._known(arch).batches) < seen]:
                first = min(len(self._known(arch).batches) for arch in left)
                last = seen if calibrated else first + 1
                self._look_between([arch for arch in left if len(self._known(arch).batches) == first], first, last)

    def _look_between(self, archs: Sequence[Arch], first: int, last: int) -> None:
        """At the batches from `first` on that are before `last`, which none of these has seen."""
        self.before()
        for arch, found in zip(archs, self.hits(archs, self.images.between(first, last)), strict=True):
            for by_class in found:
                self._known(arch).add(by_class)
        images = self.images.first(last) - self.images.first(first)
        self.after(self.trainer.problem.judging.cost(len(archs), len(archs) * images))

    def hits(self, archs: Sequence[Arch], batches: Sequence[Batch]) -> list[HitsByBatch]:
        """Those of each architecture; nothing is known before or kept."""
        layout, network = self.trainer.setup.layout, self.trainer.network
        children = [Child(network, only_live(layout, arch)) for arch in archs]

        def work(batches: Sequence[Batch]) -> list[HitsByBatch]:
            found: list[HitsByBatch] = [[] for _ in children]
            for child, logits, labels in self.evaluator.logits(children, batches, self.trainer.calibration):
                right = labels[logits.argmax(dim=1) == labels]
                found[child].append(right.bincount(minlength=logits.shape[1]).tolist())
            return found

        return within_memory(partial(work, batches), partial(self._too_large, work))

    def _too_large(self, work: Callable[[Sequence[Batch]], object]) -> OutOfMemory:
        """What to say where a batch that is judged does not fit into memory."""
        problem = self.trainer.problem

        def attempt(size: int) -> None:
            work([self.batches_of(problem.valid, size)[0]])

        size, key = problem.recipe.search.eval_batch_size, "search.eval_batch_size"
        calibration = "search.calibration_batch_size, " if problem.judging.images else ""
        others = calibration + problem.recipe.space.smaller_by
        return too_large(f"leaf {self.trainer.scope.label}", key, size, others, attempt, problem.recipe.device)

    def mixture(self) -> Mixture:
        """Of the supernet under the gates of its method, on all held-out images; nothing is known before or kept.

        A method that draws its gates draws new ones for each batch, as in training. What it runs for a batch is judged
        as an architecture is: where these have statistics of their own, they are measured under the same gates.
        Statistics that all paths share would be those of none (Guo et al., "Single path one-shot", 2020). So they are
        measured for every batch.
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
            ((_, logits, labels),) = self.evaluator.logits([child], batches, self.trainer.calibration)
            return logits, labels

        return within_memory(partial(work, [self.images[number]]), partial(self._too_large, work))

    def accuracies(self, archs: Sequence[Arch], images: Images) -> list[float]:
        """Percent of some images that each architecture gets right."""
        found = self.hits(archs, self.batches_of(images))
        return [100 * sum(map(sum, batches)) / len(images) for batches in found]

    def accuracy(self, arch: Arch, images: Images) -> float:
        """The same of one."""
        return self.accuracies([arch], images)[0]


def pieces(archs: Sequence[Arch], size: int) -> Iterator[Sequence[Arch]]:
    """The architectures in their order, so many at a time."""
    return (archs[start : start + size] for start in range(0, len(archs), size))


def alike_together(layout: Layout, archs: Sequence[Arch]) -> list[Arch]:
    """The architectures in an order in which those stand together that run the same in the first blocks."""

    def runs(arch: Arch) -> list[str]:
        live = layout.live(arch)
        return [arch[choice] if choice in live else "" for choice in in_order]

    in_order = list(dict.fromkeys(choice for _, block in layout.blocks for choice in block.choices))
    return sorted(archs, key=runs)


class StandaloneEvaluator:
    """The same where an architecture is trained before it is judged: the images come in one piece."""

    batches = 1

    def __init__(self, judge: Callable[[Arch], Accuracy]) -> None:
        self.judge = judge

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        return self.judge(arch).overall

    def many(self, archs: Sequence[Arch], batches: int | None = None) -> list[float]:
        return [self(arch) for arch in archs]

    def mixture(self) -> None:
        """There is no supernet."""
