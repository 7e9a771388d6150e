"""How curves go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleave.stats.ties import Numbers


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
