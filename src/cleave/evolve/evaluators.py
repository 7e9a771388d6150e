"""What an evolution may go by, by name: what a network does on held-out images, or what is predicted of that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from torch import Tensor

from cleave.evolve.bench import ACCURACY, LOSS, Bench
from cleave.evolve.predictors import Encoding, perceptron, ridge
from cleave.evolve.samples import Samples
from cleave.registry import Registry
from cleave.space import Arch

MACS = "macs"
"""The name of the row of multiply-adds, what a predictor is not to be worth less than."""


class ArchitectureEvaluator(ABC):
    """Scores of architectures of a leaf, higher for better ones.

    floors: the rows by which it is not used where it orders architectures worse than they do. learns: whether it needs
    measured samples. generations: how many an evolution by it usually has.
    """

    floors: ClassVar[tuple[str, ...]] = ()
    learns: ClassVar[bool] = False
    generations: ClassVar[int] = 20

    def __init__(self, bench: Bench, samples: Samples) -> None:
        """`samples`: measured architectures of the leaf; none unless it `learns`."""
        self.bench = bench

    @abstractmethod
    def scores(self, archs: Sequence[Arch], purpose: str, doing: str) -> list[float]:
        """In their order, by the weights that the bench has then. purpose, doing: as of `Bench.measured`."""


EVALUATORS: Registry[type[ArchitectureEvaluator]] = Registry("--by")
EvaluatorClass = TypeVar("EvaluatorClass", bound=type[ArchitectureEvaluator])


def evaluator(name: str) -> Callable[[EvaluatorClass], EvaluatorClass]:
    """Registers an evaluator under a name."""
    return EVALUATORS.named(name)


@evaluator("accuracy")
class ByAccuracy(ArchitectureEvaluator):
    """Percent of the images that each gets right."""

    def scores(self, archs: Sequence[Arch], purpose: str, doing: str) -> list[float]:
        return self.bench.measured(ACCURACY, archs, purpose, doing)


@evaluator("loss")
class ByLoss(ArchitectureEvaluator):
    """The mean cross entropy, which tells more than hits do where the images are few (AttentiveNAS, 2021)."""

    def scores(self, archs: Sequence[Arch], purpose: str, doing: str) -> list[float]:
        return [-loss for loss in self.bench.measured(LOSS, archs, purpose, doing)]


class Predicted(ArchitectureEvaluator):
    """What the accuracy should be by those of samples; a kind of it says how that is learned."""

    floors: ClassVar[tuple[str, ...]] = (MACS,)
    learns = True
    generations = 500

    def __init__(self, bench: Bench, samples: Samples) -> None:
        super().__init__(bench, samples)
        self.encoding = Encoding(bench.space.choices, bench.layout)
        self.predict = self.fit(self.encoding(samples.archs), samples.accuracies, bench.chance.number("predictor"))

    @staticmethod
    @abstractmethod
    def fit(features: Tensor, accuracies: Sequence[float], seed: int) -> Callable[[Tensor], Tensor]:
        """Accuracies [n] of features [n, features], learned from those of samples."""

    def scores(self, archs: Sequence[Arch], purpose: str, doing: str) -> list[float]:
        predicted: list[float] = self.predict(self.encoding(archs)).tolist()
        self.bench.see(len(archs), doing)
        self.bench.done += len(archs)
        return predicted


@evaluator("ridge")
class ByRidge(Predicted):
    """Linear: what each candidate is worth, whatever the others are."""

    fit = staticmethod(ridge)


@evaluator("predictor")
class ByPerceptron(Predicted):
    """The predictor of Once-for-All."""

    floors = (MACS, "ridge")
    fit = staticmethod(perceptron)
