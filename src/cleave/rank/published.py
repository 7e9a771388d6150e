"""Supernets whose predictions for all of NAS-Bench-201 were published, as rows to compare with.

One-shot and few-shot (5 sub-supernets, split on one edge) supernets of Zhao et al., "Few-shot Neural Architecture
Search" (ICML 2021), CIFAR-10: their released accuracies of all 15,625 architectures compared with the mean test
accuracies of the benchmark's topology table (NATS-Bench); figures computed by us.
"""

from __future__ import annotations

from typing import Any

from cleave.space import Space
from cleave.stats.ranking import PRECISION_AT, REGRET_OF, TOP_PERMILLE

SOURCE = "Zhao et al. 2021, released predictions of all 15,625 architectures"
WHOLE = 15_625

CORRELATIONS = {"published one-shot": (0.4841, 0.6764), "published few-shot": (0.5504, 0.7409)}
"""Kendall's tau-b and Spearman's rho."""


def published_rows(space: Space, dataset: str) -> dict[str, dict[str, Any]]:
    """Rows as `cleave.stats.ranking.score` gives them, None for what is not known, and "published" for their source.

    Only for CIFAR-10 and all five operations.
    """
    if dataset != "cifar10" or space.region.size != WHOLE:
        return {}
    return {name: published_row(tau, rho) for name, (tau, rho) in CORRELATIONS.items()}


def published_row(tau: float, rho: float) -> dict[str, Any]:
    return {
        "kendall": {"value": tau, "low": None, "high": None},
        "spearman": {"value": rho, "low": None, "high": None},
        "top": {percent: {"count": None, "kendall": None, "spearman": None} for percent in TOP_PERMILLE},
        "precision": {str(k): None for k in PRECISION_AT},
        "regret": {str(n): None for n in REGRET_OF},
        "published": SOURCE,
    }
