"""A race for the split: mini-batches go only to the choices and partitions that may still win.

A hypothesis is a choice with one of its balanced partitions; its cost, the mean similarity of a cut link, is linear in
the similarities. All choices see the same mini-batches, so hypotheses are compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import pi, sqrt
from typing import Literal

import torch
from torch import Tensor

from cleave.split.hypotheses import mean_links
from cleave.split.similarity import Gradients
from cleave.split.tally import RaceTally

Ended = Literal["settled", "negligible", "most"]
"""Why a race is over: nothing is in doubt, what could be won is below the tolerance, or no more probes are allowed."""


@dataclass(frozen=True)
class RaceRule:
    """`first` probes for every choice, then twice as many for those in doubt, and so on up to `most`.

    A hypothesis is out of doubt where it costs more than the leader by over `deviations` standard errors of the
    difference. The race ends where the expected regret of deciding is below `tolerance`, a cosine per cut link. Mean
    gradients are judged by what they come to with `horizon` probes; with `most` for a horizon, a race that goes on to
    the end finds what every probe for every choice does.
    """

    first: int = 8
    most: int = 100
    horizon: int = 1000
    deviations: float = 1.0
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        assert 3 <= self.first <= self.most, "two influences are needed to tell a scatter"


class Entrant:
    """One choice in the race: its tally, and the partitions that it may be cut into."""

    def __init__(self, tally: RaceTally, candidates: int, parts: int) -> None:
        self.tally, self.weights = tally, mean_links(candidates, parts)

    @property
    def costs(self) -> Tensor:
        """[partitions]: the mean similarity of a cut link."""
        return torch.einsum("hij,ij->h", self.weights, self.tally.similarities.cpu())

    @property
    def moves(self) -> Tensor:
        """[probes - 1, partitions]: how each probe but the first moved the costs."""
        return torch.einsum("hij,pij->ph", self.weights, self.tally.influences.cpu())


@dataclass(frozen=True)
class Standing:
    """Where the race is: the choices in doubt, and the expected regret of deciding for the leader now."""

    doubtful: list[str]
    regret: float


@dataclass(frozen=True)
class RaceOutcome:
    """What was measured: similarities [candidates, candidates] by choice, and from how many probes."""

    similarities: dict[str, Tensor]
    probes: dict[str, int]
    ended: Ended


@dataclass
class Race:
    """A race that is under way; a pure function of the probes that it asked for."""

    entrants: Mapping[str, Entrant]
    rule: RaceRule
    goal: int = field(init=False)
    running: list[str] = field(init=False)
    ended: Ended | None = None

    def __post_init__(self) -> None:
        self.goal, self.running = self.rule.first, list(self.entrants)

    def wanted(self) -> tuple[str, int] | None:
        """The next choice and the number of the probe to add to it; None once the race is over."""
        while self.ended is None:
            for choice in self.running:
                if (seen := self.entrants[choice].tally.probes) < self.goal:
                    return choice, seen
            self._next_round()
        return None

    def _next_round(self) -> None:
        now = standing(self.entrants, self.rule.deviations)
        if not now.doubtful:
            self.ended = "settled"
        elif now.regret < self.rule.tolerance:
            self.ended = "negligible"
        elif self.goal == self.rule.most:
            self.ended = "most"
        else:
            self.goal, self.running = min(2 * self.goal, self.rule.most), now.doubtful

    @property
    def outcome(self) -> RaceOutcome:
        assert self.ended is not None, "the race is not over"
        tallies = {choice: entrant.tally for choice, entrant in self.entrants.items()}
        similarities = {choice: tally.similarities for choice, tally in tallies.items()}
        return RaceOutcome(similarities, {choice: tally.probes for choice, tally in tallies.items()}, self.ended)


def race(entrants: Mapping[str, Entrant], probe: Callable[[str, int], Gradients], rule: RaceRule) -> RaceOutcome:
    """Runs a race of choices, each with an empty tally, to its end.

    `probe(choice, number)` are the gradients of mini-batch `number` under the choice's candidates, per parameter
    [candidates, *shape]; equal numbers are to be the same mini-batch and gates whatever the choice.
    """
    contest = Race(entrants, rule)
    while (wanted := contest.wanted()) is not None:
        choice, number = wanted
        contest.entrants[choice].tally.add(probe(choice, number))
    return contest.outcome


def standing(entrants: Mapping[str, Entrant], deviations: float) -> Standing:
    """Every hypothesis against the leader, over the probes that both saw.

    The leader's own choice is in doubt too where any other is, as the leader has to be known as well as those it is
    compared with.
    """
    costs = {choice: entrant.costs for choice, entrant in entrants.items()}
    leader = min(costs, key=lambda choice: float(costs[choice].min()))
    place = int(costs[leader].argmin())
    leaders = entrants[leader].moves[:, place]
    doubtful, regret = set[str](), 0.0
    for choice, entrant in entrants.items():
        gaps, errors = costs[choice] - costs[leader][place], standard_errors(entrant.moves, leaders)
        doubts = gaps < deviations * errors
        if bool(doubts.any()):
            doubtful |= {choice, leader}
            regret += float(expected_gain(gaps, errors)[doubts].sum())
    return Standing([choice for choice in entrants if choice in doubtful], regret)


def standard_errors(moves: Tensor, leaders: Tensor) -> Tensor:
    """Of costs minus the leader's, [partitions], from the probes that both saw; infinite where it is not known.

    Influences weigh by the number of probes that went before: the earliest ones were compared with little but noise.
    """
    common = min(len(moves), len(leaders))
    differences = moves[:common] - leaders[:common, None]
    weights = torch.arange(1, common + 1, dtype=torch.float64)[:, None] / (common * (common + 1) / 2)
    variances = (weights * (differences - (weights * differences).sum(dim=0)).square()).sum(dim=0)
    unbiased = variances / (1 - weights.square().sum())
    return (unbiased / (common + 1)).sqrt().nan_to_num(nan=torch.inf)


def expected_gain(gaps: Tensor, errors: Tensor) -> Tensor:
    """The expected loss of passing over what costs `gaps` more as far as one knows, normal with these errors."""
    distances = gaps / errors
    density = (-distances.square() / 2).exp() / sqrt(2 * pi)
    gains = errors * (density - distances * torch.special.ndtr(-distances))
    return torch.where(errors > 0, gains, 0.0).clamp(min=0)  # far away the difference of two tiny numbers
