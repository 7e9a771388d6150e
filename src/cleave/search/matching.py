"""Gradients compared on a node in training: the gradient matching score, all of it or in a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.net.place import Index
from cleave.search.trainer import NodeTrainer
from cleave.split import Matching, Probe, match, shared_parameters
from cleave.split.gradient import gradients
from cleave.split.race import Entrant, RaceOutcome, RaceRule, race
from cleave.split.share import Parameters, shared_parts
from cleave.split.similarity import SIMILARITIES, Gradients


class Matcher:
    """Compares the candidates of a node's choices; nothing of the node changes."""

    def __init__(self, trainer: NodeTrainer) -> None:
        self.trainer, self.split = trainer, trainer.problem.recipe.split
        self.allowed = trainer.scope.region.allowed
        self.ends = trainer.setup.layout.ends if self.split.shared == "body" else ()
        self.matching = Matching(
            SIMILARITIES[self.split.similarity],
            own_weight=self.split.enable == "own",
            mean_gradients=self.split.average == "gradients",
        )

    def probes(self) -> Iterator[Probe]:
        """The mini-batches of the score."""
        return map(self.trainer.probe, range(self.split.batches))

    def score(self, choice: str, probes: Iterator[Probe]) -> Tensor:
        """Similarities [candidates, candidates] of a choice's gradients."""

        def work(probes: Iterator[Probe]) -> Tensor:
            with self.trainer.uncompiled():
                return match(
                    probes, choice, self.allowed[choice], self.shared(choice), self.matching, self.parts(choice)
                )

        found = self.trainer.within_memory(lambda: work(probes), lambda: work(iter([self.trainer.probe(0)])))
        return self.checked(choice, found)

    def gradients(self, choice: str, number: int) -> Gradients:
        """Per shared parameter those under each candidate of the choice on a mini-batch, [candidates, *shape]."""

        def work(probe: Probe) -> Gradients:
            with self.trainer.uncompiled():
                shared, own_weight = self.shared(choice), self.matching.own_weight
                return gradients(probe, choice, self.allowed[choice], shared, own_weight, self.parts(choice))

        return self.trainer.within_memory(lambda: work(self.trainer.probe(number)), lambda: work(self.trainer.probe(0)))

    def shared(self, choice: str) -> Parameters:
        return shared_parameters(self.trainer.network, choice, self.ends)

    def parts(self, choice: str) -> dict[str, Index]:
        return shared_parts(self.trainer.network, choice, self.allowed[choice])

    def checked(self, choice: str, similarities: Tensor) -> Tensor:
        """The same, on the CPU; UserError where they are not numbers."""
        if not torch.isfinite(similarities).all():
            raise UserError(
                f"leaf {self.trainer.scope.label}: a gradient on choice {choice} is not finite; "
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
