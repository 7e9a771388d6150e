"""What ranks and places among the best are where several are equal.

Equals share the places that they take: a rank is the mean of theirs, a place among the best is held by each in part,
and the best of the highest is the mean over all ways to choose among equals. So nothing depends on the order in which
things are listed, and what is the same for all ranks as chance does.

Of scores higher is better; ranks begin at 1, the best.
"""

from __future__ import annotations

from math import comb, fsum

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

TOLERANCE = 1e-9
"""What is closer is equal, in percentage points or other units of about 1: far above the rounding of float64."""


def mid_ranks(scores: Numbers) -> Numbers:
    """Ranks in each row of `scores` [..., n], equals having the mean of their places: halves of whole numbers."""
    order = np.argsort(-scores, axis=-1, kind="stable")
    falling, places = np.take_along_axis(scores, order, axis=-1), np.arange(scores.shape[-1])
    parted = falling[..., 1:] != falling[..., :-1]
    edge = np.ones((*scores.shape[:-1], 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, parted], axis=-1), places, 0), axis=-1)
    ends = np.where(np.concatenate([parted, edge], axis=-1), places, len(places))
    last = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, order, 1 + (first + last) / 2, axis=-1)
    return ranks


def level(values: Numbers) -> Numbers:
    """The same numbers, in each row of [..., n], those made equal that differ by rounding alone (`TOLERANCE`).

    For what is compared after it was computed: sums of the same numbers in another order differ in their last digits.
    There is no grid whose edge could part equals: what follows its neighbour within the tolerance is its equal.
    """
    order = np.argsort(values, axis=-1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=-1)
    begins = np.diff(ascending, axis=-1, prepend=-np.inf) > TOLERANCE
    first = np.maximum.accumulate(np.where(begins, np.arange(values.shape[-1]), 0), axis=-1)
    levelled = np.empty_like(values)
    np.put_along_axis(levelled, order, np.take_along_axis(ascending, first, axis=-1), axis=-1)
    return levelled


def shared_first(scores: Numbers) -> int:
    """How many share the highest score [n]."""
    return int(np.count_nonzero(scores == scores.max()))


def among_highest(scores: Numbers, count: int) -> Numbers:
    """Each one's share [n], 0 to 1, of a place among the `count` (1 to n) highest scores [n]."""
    threshold = np.partition(scores, -count)[-count]
    above, equal = scores > threshold, scores == threshold
    share: Numbers = above + equal * ((count - np.count_nonzero(above)) / np.count_nonzero(equal))
    return share


def best_of_highest(scores: Numbers, values: Numbers, count: int) -> float:
    """The greatest of `values` [n] among the `count` highest scores [n] (all, where there are fewer).

    Where equal scores have to be chosen among, the mean over all ways to do so.
    """
    share = among_highest(scores, min(count, len(scores)))
    sure, in_doubt = values[share == 1], values[(share > 0) & (share < 1)]
    best = float(sure.max()) if len(sure) else -np.inf
    if not len(in_doubt):
        return best
    return first_drawn(np.maximum(np.sort(in_doubt)[::-1], best), count - len(sure))


def best_rank_of_highest(scores: Numbers, true: Numbers, count: int) -> float:
    """The best rank by `true` [n] among the `count` highest scores [n] (all, where there are fewer).

    The mean over all ways to choose among equal scores and to order those that are equally good in truth; so at random
    it is (n + 1) / (count + 1) whatever is equal.
    """
    share = among_highest(scores, min(count, len(scores)))
    sure, doubtful = share == 1, (share > 0) & (share < 1)
    drawn, left, found = min(count, len(scores)) - np.count_nonzero(sure), np.count_nonzero(doubtful), []
    ways = comb(left, drawn)
    for value in np.unique(true[sure | doubtful])[::-1]:
        equal, better = true == value, np.count_nonzero(true > value)
        certain, open_ = np.count_nonzero(equal & sure), np.count_nonzero(equal & doubtful)
        left -= open_
        for taken in range(0 if certain else 1, min(open_, drawn) + 1):
            chance = comb(open_, taken) * comb(left, drawn - taken) / ways
            found.append(chance * (better + (np.count_nonzero(equal) + 1) / (certain + taken + 1)))
        if certain:
            break
    return fsum(found)


def first_drawn(listed: Numbers, count: int) -> float:
    """The mean of the first in the list among `count` that are drawn from it without replacement.

    Of the ranks 1 to n it is (n + 1) / (count + 1).
    """
    total, drawn = len(listed), min(count, len(listed))
    ways = comb(total, drawn)
    return fsum(value * (comb(total - 1 - place, drawn - 1) / ways) for place, value in enumerate(listed.tolist()))
