"""Intervals by resampling."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

DRAWS = 200


def interval(
    statistic: Callable[[Numbers, Numbers], float], one: Numbers, other: Numbers, seed: int, share: float = 0.95
) -> tuple[float, float]:
    """The percentile bootstrap interval (Efron & Tibshirani, 1993) of a statistic of the pairs (one[i], other[i]).

    Pairs are drawn with replacement; draws for which the statistic is NaN do not count, and NaN is returned where it
    is for all. Equal seeds and lengths draw the same positions, so that different predictions are compared on the
    same draws.
    """
    random = np.random.default_rng(seed)
    draws = (random.integers(len(one), size=len(one)) for _ in range(DRAWS))
    values = np.array([statistic(one[drawn], other[drawn]) for drawn in draws])
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2]) if len(values) else (nan, nan)
    return float(low), float(high)
