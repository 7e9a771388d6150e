"""The gradient matching score of a choice (GM-NAS, algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cleave.net import Gate, Gates
from cleave.net.place import Index
from cleave.settings import SplitSettings
from cleave.split.race import RaceRule
from cleave.split.similarity import SIMILARITIES, Similarity
from cleave.split.tally import Extrapolated, MeanGradients, MeanSimilarities, RaceTally, Tally

Loss = Callable[[Gates], Tensor]
NO_PARTS: Mapping[str, Index] = {}


@dataclass(frozen=True)
class Probe:
    """One mini-batch as the score sees it: its loss as a function of the gates, and the gates it would run.

    The same probe serves every candidate of every choice, so that comparisons are paired.
    """

    loss: Loss
    gates: Gates


@dataclass(frozen=True)
class Matching:
    """The options of the score.

    `own_weight`: a candidate runs with its weight in the gates, not with 1. `mean_gradients`: gradients are
    averaged over mini-batches and then compared (the paper); else each mini-batch is compared and the
    similarities are averaged (the released code).
    """

    similarity: Similarity
    own_weight: bool = False
    mean_gradients: bool = True

    @staticmethod
    def of(settings: SplitSettings) -> Matching:
        """As a recipe says."""
        return Matching(
            SIMILARITIES[settings.similarity],
            own_weight=settings.enable == "own",
            mean_gradients=settings.average == "gradients",
        )

    def tally(self) -> Tally:
        """An empty one, to which a choice's gradients are added."""
        return (MeanGradients if self.mean_gradients else MeanSimilarities)(self.similarity)

    def race_tally(self, rule: RaceRule) -> RaceTally:
        """One for a race."""
        return Extrapolated(self.similarity, rule.horizon) if self.mean_gradients else MeanSimilarities(self.similarity)


def match(
    probes: Iterable[Probe],
    choice: str,
    candidates: Sequence[str],
    parameters: Mapping[str, nn.Parameter],
    matching: Matching,
    parts: Mapping[str, Index] = NO_PARTS,
) -> Tensor:
    """Similarities [candidates, candidates] of the gradients on `parameters`, float64.

    Each candidate in turn runs alone on `choice` while the other choices keep the probe's gates. A parameter
    that a probe does not reach (another path was drawn) has gradient zero there and counts as such. `parts`: of
    parameters of which the candidates share a part, that part.
    """
    tally = matching.tally()
    for probe in probes:
        tally.add(gradients(probe, choice, candidates, parameters, matching.own_weight, parts))
    return tally.similarities


def gradients(
    probe: Probe,
    choice: str,
    candidates: Sequence[str],
    parameters: Mapping[str, nn.Parameter],
    own_weight: bool,
    parts: Mapping[str, Index] = NO_PARTS,
) -> list[Tensor]:
    """Per parameter the gradient under each candidate, [candidates, *shape], of some only for a part.

    A choice that the probe's path leaves out runs all the same: its candidates could not be told apart else.
    """
    rows = []
    for candidate in candidates:
        loss = probe.loss(beside(probe.gates, choice, candidate, own_weight))
        rows.append(torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True))
    shared = [parts.get(name, ()) for name in parameters]
    return [
        torch.stack([row[part] for row in column]) for part, column in zip(shared, zip(*rows, strict=True), strict=True)
    ]


def beside(gates: Gates, choice: str, candidate: str, own_weight: bool) -> Gates:
    """The same gates, but that of a choice only one candidate runs."""
    return {**gates, choice: alone(candidate, gates.get(choice, Gate(())), own_weight)}


def alone(candidate: str, gate: Gate, own_weight: bool) -> Gate:
    """The gate on which only `candidate` runs, with weight 1 or with the weight it has in `gate`."""
    if not own_weight or gate.weight is None:
        return Gate((candidate,))
    return Gate((candidate,), gate.weight[[gate.active.index(candidate)]])
