"""Candidates compared on a node in training: by any criterion, or by gradients in a race."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.search.trainer import NodeTrainer
from cleave.split import ComparedNode, Matching, Pairwise, Probe
from cleave.split.gradient import gradients
from cleave.split.matching import GradientMatching, parts_of, shared_of
from cleave.split.race import Entrant, RaceOutcome, RaceRule, race
from cleave.split.similarity import Gradients
from cleave.split.splitters import SPLITTERS


def compared(trainer: NodeTrainer) -> ComparedNode:
    """A node as a criterion sees it."""
    problem = trainer.problem
    return ComparedNode(
        trainer.network,
        problem.space,
        trainer.scope.region,
        problem.recipe.split,
        problem.image,
        trainer.probe,
        trainer.answers,
        trainer.completion,
        lambda: trainer.method.costs,
    )


class Matcher:
    """Compares the candidates of a node's choices; nothing of the node changes."""

    def __init__(self, trainer: NodeTrainer) -> None:
        self.trainer, self.split = trainer, trainer.problem.recipe.split
        kind = SPLITTERS[self.split.splitter]
        self.criterion = kind if issubclass(kind, Pairwise) else GradientMatching
        self.node, self.allowed = compared(trainer), trainer.scope.region.allowed
        self.matching = Matching.of(self.split)
        self.shared = cache(lambda choice: (shared_of(self.node, choice), parts_of(self.node, choice)))
        """What a choice's candidates share, whole parameters and parts: looked for once."""

    @property
    def numbers(self) -> range:
        """Of the looks at each candidate."""
        return range(self.criterion.looks(self.split))

    def probes(self) -> Iterator[Probe]:
        """The mini-batches of the gradient matching score."""
        return map(self.trainer.probe, range(self.split.batches))

    def score(self, choice: str, numbers: Iterable[int] | None = None) -> Tensor:
        """Similarities [candidates, candidates] of a choice's candidates, by all looks unless some are given."""

        def work(numbers: Iterable[int]) -> Tensor:
            with self.trainer.uncompiled():
                return self.criterion.compare(self.node, choice, numbers)

        asked = self.numbers if numbers is None else numbers
        return self.checked(choice, self.trainer.within_memory(lambda: work(asked), lambda: work([0])))

    def gradients(self, choice: str, number: int) -> Gradients:
        """Per shared parameter those under each candidate of the choice on a mini-batch, [candidates, *shape]."""

        def work(probe: Probe) -> Gradients:
            with self.trainer.uncompiled():
                shared, parts = self.shared(choice)
                return gradients(probe, choice, self.allowed[choice], shared, self.matching.own_weight, parts)

        return self.trainer.within_memory(lambda: work(self.trainer.probe(number)), lambda: work(self.trainer.probe(0)))

    def checked(self, choice: str, similarities: Tensor) -> Tensor:
        """The same, on the CPU; UserError where they are not numbers."""
        if not torch.isfinite(similarities).all():
            raise UserError(
                f"leaf {self.trainer.scope.label}: {self.criterion.what} on choice {choice} is not finite; "
                "try a smaller method.learning_rate"
            )
        return similarities.cpu()

    def race(self, choices: Sequence[str], parts: int, before: Callable[[str, int], None]) -> RaceOutcome:
        """What was measured on each choice until the race was decided.

        `before(choice, candidates)` is called before the passes of a mini-batch under a choice's candidates.
        """
        rule = RaceRule(most=self.split.batches)

        def measured(choice: str, number: int) -> Gradients:
            before(choice, len(self.allowed[choice]))
            return self.gradients(choice, number)

        entrants = {
            choice: Entrant(self.matching.race_tally(rule), len(self.allowed[choice]), parts) for choice in choices
        }
        found = race(entrants, measured, rule)
        checked = {choice: self.checked(choice, values) for choice, values in found.similarities.items()}
        return RaceOutcome(checked, found.probes, found.ended)
