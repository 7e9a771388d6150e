"""Does an architecture do better next to a partner with similar gradients? (GM-NAS, table 2 and appendix B.2)

A partner differs from its architecture in one choice. The two are trained together by RSPS: as the region that holds
just them. After a warm-up their gradients on the weights that they share are compared, and if the partner is the
architecture's first similar or first dissimilar one, training goes on and the architecture's loss is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypedDict

import torch
from torch.nn.functional import cross_entropy

from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.stream import InOrder
from cleave.errors import UserError
from cleave.net import one_hot
from cleave.search.evaluator import LeafEvaluator
from cleave.search.matching import Matcher
from cleave.search.problem import Problem
from cleave.search.schedule import alone
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch, Region, Space
from cleave.space.sample import distinct

Check = Callable[[], None]
"""Called between steps; raises Interrupted when the experiment was asked to stop."""

Kind = Literal["similar", "dissimilar", "neither"]
KINDS: tuple[Kind, Kind] = ("similar", "dissimilar")
FIGURES = ("similarity", "train_loss", "valid_loss", "valid_accuracy")


@dataclass(frozen=True)
class Setup:
    """The lengths of the experiment and what counts as similar; the defaults are the paper's.

    architectures: how many get partners. tries: partners of each that are warmed up at most (24 are all that there
    are in NAS-Bench-201; the paper does not say). warm, epochs: of a pair, until gradients are compared and in all.
    similar, dissimilar: the cosine must be above the one or below the other.
    """

    architectures: int = 50
    tries: int = 24
    warm: int = 2
    epochs: int = 20
    similar: float = 0.7
    dissimilar: float = 0.3

    def __post_init__(self) -> None:
        assert min(self.architectures, self.tries, self.epochs) >= 1
        assert 0 <= self.warm <= self.epochs
        assert self.dissimilar <= self.similar, "no partner may be of both kinds"

    def kind(self, cosine: float) -> Kind:
        if cosine > self.similar:
            return "similar"
        return "dissimilar" if cosine < self.dissimilar else "neither"


@dataclass(frozen=True)
class Pair:
    """An architecture, and the partner that has `candidate` on `choice` instead."""

    space: Space
    arch: Arch
    choice: str
    candidate: str

    @property
    def partner(self) -> Arch:
        return {**self.arch, self.choice: self.candidate}

    @property
    def label(self) -> str:
        """The architecture's: all its partners see the same mini-batches, so that they compare like with like."""
        return self.space.format(self.arch)

    @property
    def region(self) -> Region:
        """Holds just the two."""
        both = self.space.region.restrict(self.choice, [self.arch[self.choice], self.candidate])
        return Region({**Region.of(self.arch).allowed, self.choice: both.allowed[self.choice]})


class PartnerOutcome(TypedDict):
    """How the architecture alone does under a pair's weights on all images, not augmented: mean cross entropy, and
    percent right. None for a pair that was only warmed up."""

    train_loss: float | None
    valid_loss: float | None
    valid_accuracy: float | None


class Trial(PartnerOutcome):
    """A pair: its architectures as the space writes them, the choice in which they differ, the gradients' cosine."""

    architecture: str
    partner: str
    choice: str
    kind: Kind
    similarity: float


WARMED_UP: PartnerOutcome = {"train_loss": None, "valid_loss": None, "valid_accuracy": None}


def trials(problem: Problem, setup: Setup, check: Check, done: int = 0) -> Iterator[list[Trial]]:
    """The trials of one architecture after the other, without those of the first `done`.

    The architectures are different and valid, and fewer where the space has fewer. What is found of each depends on
    recipe, setup and its place alone, so a caller that keeps the lists goes on by their number. UserError for a recipe
    that would make another experiment of it, and where training leaves the finite numbers.
    """
    given = {"method.name": problem.recipe.method.name, "split.similarity": problem.recipe.split.similarity}
    for key, needed in (("method.name", "rsps"), ("split.similarity", "cos")):
        if given[key] != needed:
            raise UserError(f"{key}={given[key]}: pairs are trained by rsps and compared by cosines; use {needed}")
    generator = Chance(problem.recipe.seed, "partners").generator("architectures")
    for arch in distinct(problem.space, problem.space.region, setup.architectures, generator)[done:]:
        yield trials_of(problem, setup, arch, check)


def trials_of(problem: Problem, setup: Setup, arch: Arch, check: Check) -> list[Trial]:
    """Partners in random order, until there is one of each kind or the tries are over."""
    generator = Chance(problem.recipe.seed, problem.space.format(arch)).generator("partners")
    found: list[Trial] = []
    wanted: set[Kind] = set(KINDS)
    for pair in pairs(problem.space, arch, generator)[: setup.tries]:
        found.append(try_out(problem, setup, pair, wanted, check))
        wanted.discard(found[-1]["kind"])
        if not wanted:
            break
    return found


def pairs(space: Space, arch: Arch, generator: torch.Generator) -> list[Pair]:
    """`arch` with every valid partner, in random order.

    Where the choice lies on no path to the output the two compute the same, and their cosine is 1.
    """
    named = [Pair(space, arch, choice.name, candidate) for choice in space.choices for candidate in choice.candidates]
    valid = [pair for pair in named if pair.partner != arch and space.valid(pair.partner)]
    return [valid[i] for i in torch.randperm(len(valid), generator=generator).tolist()]


def try_out(problem: Problem, setup: Setup, pair: Pair, wanted: Collection[Kind], check: Check) -> Trial:
    """Warms a pair up, compares its gradients, and trains it to the end if it is of a wanted kind.

    One cosine of learning rates goes over all epochs; the warm-up is its beginning.
    """
    trainer = NodeTrainer(problem, pair, alone(setup.epochs))
    train(trainer, setup.warm, check)
    matcher = Matcher(trainer)
    similarity = float(matcher.score(pair.choice, checked(matcher.numbers, check))[0, 1])
    kind = setup.kind(similarity)
    if kind in wanted:
        train(trainer, setup.epochs, check)
    return {
        "architecture": pair.label,
        "partner": pair.space.format(pair.partner),
        "choice": pair.choice,
        "kind": kind,
        "similarity": similarity,
        **(outcome(trainer, pair.arch) if kind in wanted else WARMED_UP),
    }


def train(trainer: NodeTrainer, epochs: int, check: Check) -> None:
    """Goes on until that many epochs are over in all."""
    while trainer.epoch < epochs:
        check()
        trainer.advance()


def checked(numbers: Iterable[int], check: Check) -> Iterator[int]:
    for number in numbers:
        check()
        yield number


def outcome(trainer: NodeTrainer, arch: Arch) -> PartnerOutcome:
    trainer.finite_means()
    return {
        "train_loss": mean_loss(trainer, arch, trainer.problem.train),
        "valid_loss": mean_loss(trainer, arch, trainer.problem.valid),
        "valid_accuracy": LeafEvaluator(trainer)(arch),
    }


@torch.no_grad()
def mean_loss(trainer: NodeTrainer, arch: Arch, images: Images) -> float:
    """Mean cross entropy of `arch` alone over all images, not augmented."""
    problem, gates = trainer.problem, one_hot(arch)
    batches = InOrder(images, problem.recipe.search.eval_batch_size, problem.normalise)
    sums = [cross_entropy(trainer.logits(pixels, gates), labels, reduction="sum") for pixels, labels in batches]
    return float(torch.stack(sums).double().sum()) / len(images)
