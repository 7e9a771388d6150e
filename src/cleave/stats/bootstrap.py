"""Intervals by resampling."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as numbers
from math import nan

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

DRAWS = 200


def interval(
    statistic: Callable[[Numbers, Numbers], float],
    one: Numbers,
    other: Numbers,
    seed: int,
    share: float = 0.95,
    block: int = 1,
    count: int = DRAWS,
) -> tuple[float, float]:
    """The percentile bootstrap interval (Efron & Tibshirani, 1993) of a statistic of the pairs (one[i], other[i]), of
    `count` draws.

    Pairs are drawn with replacement; draws for which the statistic is NaN do not count, and NaN is returned where it
    is for all, and for pairs that are one block or less, which say nothing about their spread. Equal seeds and lengths
    draw the same positions, so that different predictions are compared on the same draws.

    Of a series in which neighbours resemble each other, draw `block` of them at a time (see `block_length`), round its
    end to its beginning where need be: the circular block bootstrap (Politis & Romano, 1992).
    """
    if len(one) <= block:
        return nan, nan
    random = np.random.default_rng(seed)
    draws = (positions(len(one), block, random) for _ in range(count))
    values = np.array([statistic(one[drawn], other[drawn]) for drawn in draws])
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2]) if len(values) else (nan, nan)
    return float(low), float(high)


def positions(length: int, block: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Positions [length], drawn in blocks of neighbours."""
    starts = random.integers(length, size=-(-length // block))
    return ((starts[:, np.newaxis] + np.arange(block)) % length).ravel()[:length]


def block_length(length: int) -> int:
    """The cube root of a series' length: the rate that is best for a variance (Hall, Horowitz & Jing, 1995).

    Rounded up, in whole numbers: a computed root of 27 may be a little more than 3.
    """
    return next(block for block in numbers(1) if block**3 >= length)
