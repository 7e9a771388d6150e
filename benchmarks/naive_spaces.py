"""The published way's supernet of each space."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.naive import Allowed, Supernet
from benchmarks.naive_darts import DartsSupernet
from benchmarks.naive_nb201 import Nb201Supernet
from cleave.search.problem import Problem

SUPERNETS: Mapping[str, Callable[[int, int, Allowed, int, int], Supernet]] = {
    "nasbench201": Nb201Supernet,
    "darts": DartsSupernet,
}
"""From (channels, cells, operations of each edge, classes, channels of an image)."""


def supernet(problem: Problem, allowed: Allowed) -> Supernet:
    """With random weights, of the size that the recipe names."""
    size, image_channels = problem.recipe.space.size, problem.train.pixels.shape[1]
    return SUPERNETS[problem.space.name](size.channels, size.cells, allowed, problem.classes, image_channels)
