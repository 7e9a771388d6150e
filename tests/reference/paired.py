"""Two networks on the same images, by sums over all that can happen and by loops."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np


def mcnemar(one: int, other: int) -> float:
    """The chance of numbers at least as unlike as these, if each of the images is a coin's throw."""
    throws = one + other
    as_unlike = [heads for heads in range(throws + 1) if abs(2 * heads - throws) >= abs(one - other)]
    return sum(comb(throws, heads) for heads in as_unlike) / 2**throws


def holm(p_values: Sequence[float]) -> list[float]:
    """The least level at which each hypothesis is rejected: step by step, from the smallest on, while one is."""
    levels = sorted({min(1.0, left * p) for p in p_values for left in range(1, len(p_values) + 1)})

    def rejected(index: int, level: float) -> bool:
        order = sorted(range(len(p_values)), key=lambda each: p_values[each])
        for rank, each in enumerate(order):
            if p_values[each] * (len(p_values) - rank) > level:
                return False
            if each == index:
                return True
        raise AssertionError

    return [next((level for level in levels if rejected(index, level)), 1.0) for index in range(len(p_values))]


def power(images: int, discordant: int, more: int, level: float) -> float:
    share, better = discordant / images, (1 + more / discordant) / 2
    found = 0.0
    for pairs in range(images + 1):
        for won in range(pairs + 1):
            if 2 * won > pairs and mcnemar(won, pairs - won) <= level:
                seen = comb(images, pairs) * share**pairs * (1 - share) ** (images - pairs)
                found += seen * comb(pairs, won) * better**won * (1 - better) ** (pairs - won)
    return found


def bootstrap(
    ours: Sequence[bool], theirs: Sequence[bool], labels: Sequence[int], seed: int, draws: int
) -> list[float]:
    """The ends of the 95 % intervals of the differences of the accuracies and of the balanced ones, in points."""
    random, plain, balanced = np.random.default_rng(seed), [], []
    for _ in range(draws):
        drawn = [int(number) for number in random.integers(len(labels), size=len(labels))]
        plain.append(sum(100 * (ours[i] - theirs[i]) for i in drawn) / len(drawn))
        each = []
        for label in sorted({labels[i] for i in drawn}):
            own = [i for i in drawn if labels[i] == label]
            each.append(sum(100 * (ours[i] - theirs[i]) for i in own) / len(own))
        balanced.append(sum(each) / len(each))
    return [float(end) for values in (plain, balanced) for end in np.quantile(values, (0.025, 0.975))]
