"""Partitions: found by clustering curves, regular or random.

A partition is a list of groups, each a list of children's numbers; every child is in exactly one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform

from cleave.errors import UserError
from cleave.stats.ties import Numbers, level

Groups = list[list[int]]

DIGITS = 9
"""Of distances: fewer than rounding can change."""


def clusters(correlation: Numbers, count: int) -> Groups:
    """`count` clusters of children by average linkage on 1 - correlation [children, children], by first member.

    Distances that differ by rounding alone are equal; of equal ones the first in the order of children is joined.
    """
    children = len(correlation)
    check_count(count, children)
    if children == 1:
        return [[0]]
    distances = level(squareform(1 - correlation, checks=False))
    tree = linkage(np.round(distances, DIGITS), method="average")  # which goes by the last digit of means of these
    return sorted(gather(cut_tree(tree, n_clusters=count)[:, 0], count))


def sequential(children: int, count: int) -> Groups:
    """Groups of neighbours in the space's order, their sizes differing by one at most."""
    check_count(count, children)
    return gather(np.arange(children) * count // children, count)


def shuffled(children: int, count: int, seed: int) -> Groups:
    """Random groups, their sizes differing by one at most; seed 42 makes the published ones of 64 children.

    Those were drawn with numpy's legacy generator, whose numbers the current one does not give.
    """
    check_count(count, children)
    return gather(np.random.RandomState(seed).permutation(children) % count, count)


def gather(labels: NDArray[np.integer], count: int) -> Groups:
    """The children [children] of each label below `count`."""
    return [np.flatnonzero(labels == label).tolist() for label in range(count)]


def check_count(count: int, children: int) -> None:
    """UserError for fewer than one group, or more groups than children."""
    if not 1 <= count <= children:
        raise UserError(f"groups: cannot put {children} children into {count}; give a number from 1 to {children}")


def correlation(accuracy: Numbers) -> Numbers:
    """Pearson's correlations [children, children] of the columns of [looks, children].

    A child whose accuracy never changes has none; it counts as uncorrelated with all others.
    """
    centred = accuracy - accuracy.mean(axis=0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    changes = varying(accuracy)
    unit = np.where(changes, centred / np.where(changes, lengths, 1), 0)
    matrix = np.asarray(unit.T @ unit)
    np.fill_diagonal(matrix, 1)
    return matrix


def varying(accuracy: Numbers) -> NDArray[np.bool_]:
    """Which children [children] change over the looks [looks, children]; not by a length that rounding can make."""
    return np.asarray(np.ptp(accuracy, axis=0) > 0)
