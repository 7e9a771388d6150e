"""The race for a node's split, on the node's own gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cleave.search.learner import Learner
from cleave.split.race import Entrant, RaceOutcome, RaceRule, race
from cleave.split.similarity import Gradients


def race_for(learner: Learner, choices: Sequence[str], parts: int, before: Callable[[str, int], None]) -> RaceOutcome:
    """What was measured on each choice until the race was decided; similarities are checked, on the CPU.

    `before(choice, candidates)` is called before the passes of a mini-batch under a choice's candidates.
    """
    rule = RaceRule(most=learner.problem.recipe.split.batches)
    allowed, matching = learner.place.region.allowed, learner.matching

    def gradients(choice: str, number: int) -> Gradients:
        before(choice, len(allowed[choice]))
        return learner.gradients(choice, learner.probe(number))

    entrants = {choice: Entrant(matching.race_tally(rule), len(allowed[choice]), parts) for choice in choices}
    found = race(entrants, gradients, rule)
    checked = {choice: learner.checked(choice, values) for choice, values in found.similarities.items()}
    return RaceOutcome(checked, found.probes, found.ended)
