"""Two networks on the same images: whether one is right more often, and what difference could have been told.

Only the images count that one of them alone gets right ("discordant" ones; McNemar, 1947).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from cleave.stats.ties import Numbers

POWER = 0.8
"""How often a difference has to be seen that is called large enough to be."""


def mcnemar(one: int, other: int) -> float:
    """The exact two-sided p-value of McNemar's test, for any number of images.

    `one`, `other`: how many images the one alone, and the other alone, gets right. If the two are equally good, each
    of these images is one or the other with chance 1/2.
    """
    from scipy.stats import binomtest  # not at the top: of an extra

    return float(binomtest(one, one + other).pvalue) if one + other else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number (Holm, 1979): where nothing differs, one of .05 or less is among them in
    at most 5 % of all cases, however they depend on each other."""
    count, least, corrected = len(p_values), 0.0, dict[int, float]()
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        least = corrected[index] = max(least, min(1.0, (count - rank) * p_values[index]))
    return [corrected[index] for index in range(count)]


def detectable(images: int, discordant: int, level: float) -> float | None:
    """The least true difference of two accuracies, in percentage points, that McNemar's test at this level would have
    seen in 4 of 5 samples (`POWER`) of so many images; None where there is none.

    The share of discordant images is taken to be the one that was seen, and no less than the difference needs.
    """
    seen = bisect_left(
        range(1, images + 1), True, key=lambda more: power(images, max(discordant, more), more, level) >= POWER
    )
    return None if seen == images else 100 * (seen + 1) / images


def power(images: int, discordant: int, more: int, level: float) -> float:
    """How often McNemar's test at this level finds the better of two networks.

    In a sample of `images`, where on average so many are `discordant`, of which the better one gets `more` more.
    """
    from scipy.stats import binom

    share = discordant / images
    pairs = spread(images, share)
    most = binom.ppf(level / 2, pairs, 0.5) - 1  # of the worse one's, where the test finds the difference
    found = binom.cdf(most, pairs, (1 - more / discordant) / 2)
    return float(binom.pmf(pairs, images, share) @ found)


def spread(trials: int, share: float) -> Numbers:
    """The numbers of hits that there can be; without those at the ends, of a chance of 1e-9 together."""
    from scipy.stats import binom

    low, high = binom.ppf((5e-10, 1 - 5e-10), trials, share)
    return np.arange(low, high + 1)
