"""How settled a leaf is: does the ranking of its architectures still change, do its weights say anything?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import fsum, isnan, log

import numpy as np
import torch
from torch import Tensor

from cleave.search.evaluator import LeafEvaluator
from cleave.search.trainer import NodeTrainer
from cleave.stats.kendall import kendall


def panel(trainer: NodeTrainer) -> list[float]:
    """Accuracies (percent) of a leaf's panel: always the same architectures on the same held-out images."""
    problem, trust = trainer.problem, trainer.problem.recipe.trust
    count = min(trust.panel_images, len(problem.valid))
    images = problem.valid.take(torch.arange(count, device=problem.valid.labels.device))
    return LeafEvaluator(trainer).accuracies(trainer.panel, images)


def agreement(rows: Sequence[Sequence[float]]) -> dict[str, float | int | None]:
    """S-Tau, and in how many of the pairs of rankings tau is defined: {"s_tau", "s_tau_defined", "s_tau_pairs"}.

    `rows` are [rankings][architectures]. Where all of a ranking are equal it cannot be compared with another.
    """
    taus = [kendall(one, other) for one, other in combinations(np.array(rows, dtype=np.float64), 2)]
    known = [tau for tau in taus if not isnan(tau)]
    value = fsum(known) / len(known) if known else None
    return {"s_tau": value, "s_tau_defined": len(known), "s_tau_pairs": len(taus)}


def s_tau(rows: Sequence[Sequence[float]]) -> float | None:
    """The mean Kendall tau of all pairs of rankings (Deeper Insights into Weight Sharing, S-Tau).

    Over those pairs in which it is defined (`agreement` says how many); None where it is in none: fewer than two
    rankings or architectures, or rankings in which all are equal.
    """
    return agreement(rows)["s_tau"]


def mean_entropy(weights: Mapping[str, Tensor]) -> float | None:
    """The mean over choices of the weights' entropy, as a share of the highest it can be; None without weights.

    1: all candidates weigh the same. 0: one candidate has all the weight. Choices with one candidate do not count.
    """
    shares = [entropy(each) / log(len(each)) for each in weights.values() if len(each) > 1]
    return sum(shares) / len(shares) if shares else None


def entropy(weights: Tensor) -> float:
    """In nats, of weights that sum to 1."""
    positive = weights.detach()[weights > 0].double()
    return float(-(positive * positive.log()).sum())
