"""Kendall's tau-b, for thousands as well as for a few."""

from __future__ import annotations

from math import comb, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from cleave.stats.ties import Numbers


def kendall(one: Numbers, other: Numbers) -> float:
    """Kendall's tau-b of two scores [n]: 1 for the same order, -1 for the opposite one, in O(n log² n).

    NaN for a constant, and for fewer than two.
    """
    if len(one) < 2:
        return nan
    order = np.lexsort((other, one))
    first, second = one[order], other[order]
    rises, changes = np.diff(first) != 0, np.diff(second) != 0
    _, ranks, counts = np.unique(second, return_inverse=True, return_counts=True)
    pairs, tied, tied_other = comb(len(one), 2), tied_pairs(run_lengths(rises)), tied_pairs(counts)
    if pairs in (tied, tied_other):
        return nan
    discordant = inversions(ranks)
    concordant = pairs - tied - tied_other + tied_pairs(run_lengths(rises | changes)) - discordant
    tau = (concordant - discordant) / sqrt(pairs - tied) / sqrt(pairs - tied_other)
    return min(1.0, max(-1.0, tau))


def run_lengths(ends: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The lengths of a list's runs; `ends` says of each place but the last whether a run ends there."""
    return np.diff(np.flatnonzero(ends), prepend=-1, append=len(ends))


def tied_pairs(counts: NDArray[np.intp]) -> int:
    """Pairs of equals, from how many there are of each."""
    return int((counts * (counts - 1) // 2).sum())


def inversions(ranks: NDArray[np.integer]) -> int:
    """In how many pairs the greater of two whole numbers (from 0) comes first, bit by bit from the highest.

    The highest bit in which two numbers differ decides which is the greater. Numbers with the same higher bits stand
    together, in their own order; among them each 0 is preceded by the 1s that it is counted with.
    """
    found, ranks = 0, ranks.astype(np.min_scalar_type(ranks.max()))  # numpy sorts small numbers faster
    for bit in reversed(range(int(ranks.max()).bit_length())):
        ones, block = ranks >> bit & 1, ranks >> (bit + 1)
        before = np.cumsum(ones)
        starts = np.flatnonzero(np.diff(block, prepend=-1))
        others = np.repeat(before[starts] - ones[starts], np.diff(starts, append=len(ranks)))
        found += int((before - others)[ones == 0].sum())
        ranks = ranks[np.argsort(ranks >> bit, kind="stable")]
    return found
